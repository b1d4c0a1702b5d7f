"""What a page uses that Gmail, Outlook, Apple Mail or Yahoo do not show.

The facts are those of caniemail.com (`support.json`, written by `python -m docs.support`). What
MJML and our themes rest on everywhere is left out (`baseline.json`): they show well without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from urllib.parse import urlsplit

from lxml import etree
from lxml.html import HtmlElement

from mailer.issue.model import Picture, Text
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.walk import walk
from mailer.lint.page import Page
from mailer.lint.style import Declaration, declarations, rules

_FUNCTION = re.compile(r"([a-z-]+)\(")
_UNIT = re.compile(r"(?<![\w#-])[+-]?(?:\d+\.?\d*|\.\d+)([a-z]+|%)")
_PSEUDO = re.compile(r":([a-z-]+)")
_AT = re.compile(r"@([a-z-]+)")
_MEDIA = re.compile(r"\(\s*(?:m(?:in|ax)-)?([a-z-]+)")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature that some mail programs lack: its name there, and those programs."""

    slug: str
    title: str
    fails: Mapping[str, list[str]]

    @property
    def lacking(self) -> str:
        """The programs that lack it, in words."""
        return ", ".join(
            f"{family} ({', '.join(platforms)})" if platforms else family
            for family, platforms in self.fails.items()
        )


@lru_cache(maxsize=1)
def features() -> Mapping[str, Feature]:
    """What is not supported everywhere, by the token that a page uses it with."""
    found: dict[str, Feature] = {}
    for slug, each in json.loads(_read("support.json"))["features"].items():
        feature = Feature(slug=slug, title=each["title"], fails=each["fails"])
        found.update(dict.fromkeys(each["tokens"], feature))
    return found


@lru_cache(maxsize=1)
def baseline() -> frozenset[str]:
    """The features that a page may always use, by their slugs."""
    return frozenset(json.loads(_read("baseline.json")))


def _read(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def check(page: Page, notes: Notes) -> None:
    """Note each feature once, where it is used first."""
    seen = set(baseline())
    for token, element in used(page.root):
        feature = features().get(token)
        if feature is None or feature.slug in seen:
            continue
        seen.add(feature.slug)
        where = page.where(*_needles(token))
        notes.add(
            Rule.UNSUPPORTED,
            page.place(element),
            f"{feature.title} is not supported by {feature.lacking}",
            f"do without it, or see that all can be read without it: {where}",
        )


def check_images(page: Page, notes: Notes) -> None:
    """Note images on the web whose names end like a format that is not shown everywhere."""
    for node in walk(page.issue.blocks):
        if not isinstance(node, Picture) or not node.url or not isinstance(node.url[0], Text):
            continue
        ending = urlsplit(node.url[-1].text if isinstance(node.url[-1], Text) else "").path
        kind = ending.rpartition(".")[2].lower()
        feature = features().get(f"image:{kind}")
        if feature is not None:
            notes.add(
                Rule.UNSUPPORTED_IMAGE,
                node.place,
                f"{feature.lacking} can't show .{kind}",
                "save it as PNG or JPEG",
            )


def _needles(token: str) -> tuple[str, ...]:
    kind, _, word = token.partition(":")
    name, _, value = word.partition("=")
    if kind == "element":
        return (f"<{name}",)
    return (f"{name}: {value}", f"{name}:{value}") if value else (name,)


def used(root: HtmlElement) -> Iterator[tuple[str, HtmlElement]]:
    """Everything a page uses, as tokens, with the element that uses it."""
    for element in root.iter(etree.Element):
        if isinstance(element, HtmlElement):
            sheet = element.tag == "style"
            tokens = _of_sheet(element.text or "") if sheet else _of_element(element)
            yield from ((token, element) for token in tokens)


def _of_element(element: HtmlElement) -> Iterator[str]:
    yield f"element:{element.tag}"
    for name in element.attrib:
        yield f"attribute:{name}"
    yield from _of_style(element.get("style") or "")


@lru_cache(maxsize=1024)
def _of_style(style: str) -> tuple[str, ...]:
    return tuple(token for each in declarations(style) for token in _of_declaration(each))


def _of_sheet(sheet: str) -> Iterator[str]:
    for at in _AT.findall(sheet.lower()):
        yield f"at:{at}"
    for rule in rules(sheet):
        for feature in _MEDIA.findall(rule.media):
            yield f"media:{feature}"
        for pseudo in _PSEUDO.findall(rule.selector.lower()):
            yield f"pseudo:{pseudo}"
        for each in rule.declarations:
            yield from _of_declaration(each)


def _of_declaration(declaration: Declaration) -> Iterator[str]:
    name, value = declaration.name, declaration.value
    if name.startswith("--"):
        yield "property:--*"
        return
    # What only one program knows is its own business.
    if name.startswith(("-", "mso-")):
        return
    yield f"property:{name}"
    yield f"value:{name}={value}"
    if declaration.important:
        yield "keyword:!important"
    for function in _FUNCTION.findall(value):
        yield f"function:{function}"
    for unit in _UNIT.findall(value):
        yield f"unit:{unit}"
    yield from (f"word:{word}" for word in value.split())
