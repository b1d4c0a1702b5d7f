"""What must stand in both parts of a message: the foot, every link, every heading."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable

from mailer.issue.model import (
    START,
    Inlines,
    Item,
    Link,
    Place,
    Section,
    Subheading,
    Text,
    Words,
)
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.walk import walk
from mailer.lint.page import Page
from mailer.render.links import ascii_url, with_utm

#: Whoever misses more has seen enough.
_MOST = 20
_BLANKS = re.compile(r"\s+")
_TEXT_URL = re.compile(r"<([^<>\s]+)>")


def check_foot(page: Page, notes: Notes) -> None:
    """Note a postal address that is missing, or that the theme does not show."""
    address = page.look.postal_address.strip()
    if not address:
        notes.add(
            Rule.MISSING_POSTAL_ADDRESS,
            START,
            "the newsletter has no postal address",
            "give it one: laws on commercial mail ask for it",
        )
        return
    first = _plain(address.split("\n")[0])
    for part, text in (("HTML", page.root.text_content()), ("text", page.rendering.text)):
        if first not in _plain(text):
            notes.add(
                Rule.MISSING_POSTAL_ADDRESS,
                START,
                f"the {part} does not show the postal address",
                f"show newsletter.postal_address in {page.where('unsubscribe_url')}",
            )


def check_alt(page: Page, notes: Notes) -> None:
    """Note images of the theme that have no alternative text at all."""
    for element in page.root.iter("img"):
        if element.get("alt") is None:
            where = page.where(element.get("src", "")[:80], "<img", "<mj-image")
            notes.add(
                Rule.MISSING_ALT,
                page.place(element),
                "the theme shows an image without alt",
                f'write alt="…", or alt="" for decoration: {where}',
            )


def check_twins(page: Page, notes: Notes) -> None:
    """Note links and headings of the issue that one part shows and the other leaves out."""
    for part, urls, text in (
        ("HTML", page.root.xpath("//@href"), page.root.text_content()),
        ("text", _TEXT_URL.findall(page.rendering.text), page.rendering.text),
    ):
        _check_links(page, notes, part, urls)
        _check_headings(page, notes, part, _plain(text))


def _check_links(page: Page, notes: Notes, part: str, urls: Iterable[object]) -> None:
    shown = sorted({str(url) for url in urls})
    missing = 0
    for node in walk(page.issue.blocks):
        if not isinstance(node, Link):
            continue
        wanted, whole = _expected(node.url, page)
        if wanted and not _is_shown(wanted, shown, whole=whole) and missing < _MOST:
            missing += 1
            _note(notes, node.place, part, f"link {wanted[:60]}")


def _is_shown(wanted: str, shown: list[str], *, whole: bool) -> bool:
    at = bisect_left(shown, wanted)
    return at < len(shown) and (shown[at] == wanted if whole else shown[at].startswith(wanted))


def _expected(url: Words, page: Page) -> tuple[str, bool]:
    """What a link's URL begins with in mail, and whether that is all of it."""
    if not url or not isinstance(url[0], Text):
        return "", False
    if len(url) == 1:
        return with_utm(ascii_url(url[0].text), page.issue.front.utm), True
    return ascii_url(url[0].text.partition("?")[0].partition("#")[0]), False


def _check_headings(page: Page, notes: Notes, part: str, text: str) -> None:
    at = missing = 0
    for node in walk(page.issue.blocks):
        match node:
            case (
                Section(children=children, place=place) | Subheading(children=children, place=place)
            ):
                words = _first_words(children)
            case Item(link=link, place=place):
                words = _first_words(link.children)
            case _:
                continue
        found = text.find(words, at)
        if found >= 0:
            at = found
        elif missing < _MOST:
            missing += 1
            _note(notes, place, part, f"heading {words[:60]!r}")


def _first_words(children: Inlines) -> str:
    """The text a heading begins with; what differs per reader is not compared."""
    first = children[0] if children else None
    return _plain(first.text) if isinstance(first, Text) else ""


def _note(notes: Notes, place: Place, part: str, what: str) -> None:
    notes.add(
        Rule.PARTS_DIFFER,
        place,
        f"the {part} part leaves out the {what}",
        "show it in the theme's template: a reader of either part should miss nothing",
    )


def _plain(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
