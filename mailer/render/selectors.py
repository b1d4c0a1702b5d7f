"""Finding what a selector means by an index of classes, instead of one search of the page each.

A theme has a hundred rules and a page a thousand elements: asked one by one they take longer than
all the rest of a rendering.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree
from lxml.cssselect import CSSSelector

#: `tag`, `.class`, `tag.class.class`, and such below each other; all else is left to lxml.
_SIMPLE = re.compile(r"(?=[\w.-])[a-z0-9]*(\.[A-Za-z_][\w-]*)*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class _Part:
    tag: str
    classes: frozenset[str]

    def fits(self, element: etree._Element) -> bool:
        if self.tag and element.tag != self.tag:
            return False
        return self.classes <= set(element.get("class", "").split())


@dataclass
class Finder:
    """Finds elements of one page, as it was when the finder was made."""

    page: etree._Element
    _by_class: dict[str, list[etree._Element]] = field(default_factory=dict)
    _by_tag: dict[str, list[etree._Element]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for element in self.page.iter(etree.Element):
            self._by_tag.setdefault(str(element.tag), []).append(element)
            for name in {*element.get("class", "").split()}:
                self._by_class.setdefault(name, []).append(element)

    def find(self, selector: str) -> list[etree._Element]:
        """The elements that a CSS selector means, in the order of the page."""
        parts = _parts(selector)
        if parts is None:
            found: list[etree._Element] = CSSSelector(selector)(self.page)  # type: ignore[assignment]
            return found
        *above, last = parts
        return [
            element
            for element in self._candidates(last)
            if last.fits(element) and _below(element, above)
        ]

    def _candidates(self, part: _Part) -> list[etree._Element]:
        named = [self._by_class.get(name, []) for name in part.classes]
        return min(named, key=len) if named else self._by_tag.get(part.tag, [])


def _parts(selector: str) -> list[_Part] | None:
    written = selector.split()
    if not written or not all(_SIMPLE.fullmatch(part) for part in written):
        return None
    split = (part.split(".") for part in written)
    return [_Part(tag=tag, classes=frozenset(classes)) for tag, *classes in split]


def _below(element: etree._Element, above: list[_Part]) -> bool:
    """Whether ancestors fit these parts in this order; the nearest that fits is the best."""
    wanted = list(above)
    ancestors = element.iterancestors()
    while wanted:
        if not any(wanted[-1].fits(ancestor) for ancestor in ancestors):
            return False
        wanted.pop()
    return True
