"""The style of each element of a page, by CSS's own rules, in light and in dark.

Only what the rules of the linter ask for: no layout, no units, no shorthands but `background`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import cssselect
import tinycss2
from lxml import etree
from lxml.cssselect import CSSSelector
from lxml.html import HtmlElement
from tinycss2 import ast

#: A sheet with more rules is a bomb, not a design.
MAX_RULES = 2000


class Scheme(StrEnum):
    """What the reader's mail program is set to."""

    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One property and its value, in the words of the sheet; `weight` decides who wins."""

    name: str
    value: str
    tokens: tuple[ast.Node, ...]
    important: bool


@dataclass(frozen=True, kw_only=True)
class StyleRule:
    """A selector with its declarations; `media` is the condition around it, or empty."""

    selector: str
    declarations: tuple[Declaration, ...]
    media: str = ""


@lru_cache(maxsize=1024)
def declarations(text: str) -> tuple[Declaration, ...]:
    """What stands in a style attribute; a page says the same few hundreds of times."""
    return _declared(tinycss2.parse_blocks_contents(text, skip_comments=True, skip_whitespace=True))


def _declared(nodes: list[ast.Node]) -> tuple[Declaration, ...]:
    return tuple(
        Declaration(
            name=node.lower_name,
            value=tinycss2.serialize(node.value).strip().lower(),
            tokens=tuple(node.value),
            important=node.important,
        )
        for node in nodes
        if isinstance(node, ast.Declaration)
    )


@lru_cache(maxsize=16)
def rules(sheet: str) -> tuple[StyleRule, ...]:
    """The rules of a style element, those inside @media too."""
    nodes = tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)
    return tuple(_rules(nodes))


def _rules(nodes: list[ast.Node], media: str = "") -> Iterator[StyleRule]:
    for node in nodes:
        if isinstance(node, ast.QualifiedRule):
            inside = tinycss2.parse_blocks_contents(
                node.content, skip_comments=True, skip_whitespace=True
            )
            yield StyleRule(
                selector=tinycss2.serialize(node.prelude).strip(),
                declarations=_declared(inside),
                media=media,
            )
        elif isinstance(node, ast.AtRule) and node.lower_at_keyword == "media" and node.content:
            inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
            yield from _rules(inner, media=tinycss2.serialize(node.prelude).strip().lower())


def holds(media: str, scheme: Scheme) -> bool:
    """Whether a media condition holds on a screen as wide as the letter, in this scheme."""
    if "prefers-color-scheme" in media:
        return scheme in media.partition("prefers-color-scheme")[2]
    return media in ("", "all", "screen", "only screen")


@dataclass(frozen=True, kw_only=True)
class _Won:
    """The declaration that holds so far, and how weighty it is."""

    weight: tuple[bool, tuple[int, ...], int]
    declaration: Declaration


class Styles:
    """The declarations that win on each element."""

    def __init__(self, root: etree._Element, sheets: list[str], scheme: Scheme) -> None:
        """Match every rule that holds in this scheme once."""
        self._won: dict[etree._Element, dict[str, _Won]] = {}
        found = [rule for sheet in sheets for rule in rules(sheet) if holds(rule.media, scheme)]
        for order, rule in enumerate(found[:MAX_RULES]):
            for specificity, elements in _matches(root, rule.selector):
                for element in elements:
                    self._take(element, rule.declarations, specificity, order)
        for element in root.iter(etree.Element):
            if style := element.get("style"):
                self._take(element, declarations(style), (1, 0, 0, 0), MAX_RULES)

    def _take(
        self,
        element: etree._Element,
        wanted: tuple[Declaration, ...],
        specificity: tuple[int, ...],
        order: int,
    ) -> None:
        won = self._won.setdefault(element, {})
        for each in wanted:
            weight = (each.important, specificity, order)
            before = won.get(each.name)
            if before is None or weight >= before.weight:
                won[each.name] = _Won(weight=weight, declaration=each)

    def of(self, element: etree._Element) -> Mapping[str, Declaration]:
        """What an element itself is told, by property, the weightiest first."""
        won = self._won.get(element, {})
        ordered = sorted(won.items(), key=lambda each: each[1].weight, reverse=True)
        return {name: each.declaration for name, each in ordered}


def _matches(
    root: etree._Element, selector: str
) -> Iterator[tuple[tuple[int, ...], list[etree._Element]]]:
    """Specificity and elements of each selector in a list; what can't be understood is nothing."""
    try:
        parsed = cssselect.parse(selector)
    except cssselect.SelectorError:
        return
    for each in parsed:
        try:
            found = _xpath(root, each.canonical())
        except (cssselect.SelectorError, etree.XPathError):
            # :hover and ::before are no elements.
            continue
        yield (0, *each.specificity()), found


def _xpath(root: etree._Element, selector: str) -> list[etree._Element]:
    found = CSSSelector(selector, translator="html")(root)
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, HtmlElement)]
