"""The links of an issue: what a reader, a filter or a screen reader would stumble over."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from mailer.issue.check.seek import place_of
from mailer.issue.check.vague import VAGUE
from mailer.issue.model import (
    Alternative,
    Buttons,
    Card,
    Inlines,
    Item,
    Link,
    Paragraph,
    ParsedIssue,
    Picture,
    Place,
    Strong,
    Text,
    Words,
)
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.urls import arxiv_id
from mailer.issue.walk import walk

#: Filters of spam distrust what hides where it leads to.
_SHORTENERS = re.compile(
    r"(?:bit|buff|cutt|ow|rebrand|t)\.ly|goo\.gl|dlvr\.it|is\.gd|v\.gd|lnkd\.in|rb\.gy|t\.co"
    r"|tiny\.cc|tinyurl\.com|shorturl\.at"
)
_TRAILING = re.compile(r"(?:[.,;:!?'\"]|%20|%C2%A0|%E2%80%8B)+$", re.IGNORECASE)
_TWICE = re.compile(r"https?:/+(?:https?[:/]|www\.https?)", re.IGNORECASE)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
#: A text that itself looks like an address: `example.org`, `https://example.org/x`.
_SHOWN = re.compile(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,})(?:[/?#]\S*)?", re.IGNORECASE)
_EDGES = " \t\n.,:;!?…→»>›«<[]()（）。，、！？：\"'“”‘’"
#: What looks like a file is no host: `notes.md`, `train.py`.
_FILES = re.compile(r"c|css|csv|go|html|ini|js|json|md|pdf|php|py|rs|rst|sh|toml|ts|txt|ya?ml")


def check(issue: ParsedIssue, notes: Notes) -> None:
    """Note doubtful links, one by one and against each other."""
    for node in walk(issue.blocks):
        if isinstance(node, Link):
            _check_link(node, notes)
        elif isinstance(node, Picture):
            _check_scheme(_address(node.url), node.place, notes, "image")
        elif isinstance(node, Item):
            _check_paper(node, issue.source, notes)
    _check_twins(issue, notes)


def _check_paper(item: Item, source: str, notes: Notes) -> None:
    """The id of a paper and the id in the link above it: one of them is another paper's."""
    linked = arxiv_id(_address(item.link.url))
    if linked and item.reference != linked:
        notes.add(
            Rule.MISLEADING_LINK,
            place_of(source, f"[{item.reference}", item.place),
            f"this names arXiv {item.reference}, and the link above it leads to {linked}",
            "write the same id in both",
        )


def _address(url: Words) -> str:
    """The fixed part that a URL begins with."""
    return url[0].text if url and isinstance(url[0], Text) else ""


def _check_link(link: Link, notes: Notes) -> None:
    address = _address(link.url)
    whole = len(link.url) == 1
    words = _words(link.children)
    if words and words.strip(_EDGES).casefold() in VAGUE:
        notes.add(
            Rule.VAGUE_LINK,
            link.place,
            f"the link {words!r} does not say where it leads",
            "name what is behind it: screen readers read links without the text around them",
        )
    _check_scheme(address, link.place, notes, "link")
    if problem := _doubt(address, whole=whole):
        notes.add(Rule.DOUBTFUL_LINK, link.place, *problem)
    host = _host(address)
    if _SHORTENERS.fullmatch(host):
        notes.add(
            Rule.SHORTENED_LINK,
            link.place,
            f"{host} hides where the link leads",
            "write the address it leads to: spam filters distrust shortened links",
        )
    _check_promise(words, host, link.place, notes)


def _words(inlines: Inlines) -> str:
    """The text of a link; empty where it holds more than text."""
    parts = []
    for inline in inlines:
        match inline:
            case Text(text=text):
                parts.append(text)
            case Strong(children=children):
                parts.append(_words(children))
            case _:
                return ""
    return "".join(parts)


def _check_scheme(address: str, place: Place, notes: Notes, what: str) -> None:
    if address[:7].lower() == "http://":
        shown = "mail programs warn of it or don't load it" if what == "image" else "use https"
        notes.add(
            Rule.HTTP_LINK,
            place,
            f"this {what} is not encrypted: {address[:60]}",
            f"write https://; {shown}" if what == "image" else "write https://",
        )


def _doubt(address: str, *, whole: bool) -> tuple[str, str] | None:
    """What is strange about a URL that is valid, and what to do."""
    if address[:7].lower() == "mailto:":
        to = unquote(address[7:].partition("?")[0])
        if whole and not all(_MAIL.fullmatch(each.strip()) for each in to.split(",")):
            return f"{to!r} is no mail address", "write mailto:name@host"
        return None
    if address[:4].lower() != "http":
        return None
    if _TWICE.match(address):
        return f"{address[:60]!r} begins twice", "remove the first https://"
    if whole and (match := _TRAILING.search(address)):
        return f"this link ends with {match.group()!r}", "move it behind the link"
    return _doubtful_host(urlsplit(address))


def _doubtful_host(parts: SplitResult) -> tuple[str, str] | None:
    host = parts.hostname or ""
    if parts.username is not None:
        return f"what stands before the @ is no host: {host} is", "write only the host"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return f"{host} is an IP address", "use the host's name: filters distrust numbers"
    if "." not in host or host.rsplit(".", 1)[1] in ("local", "localhost", "internal", "lan"):
        return f"only you can reach {host}", "write an address of the web"
    return None


def _host(address: str) -> str:
    if address[:4].lower() != "http":
        return ""
    return (urlsplit(address).hostname or "").removeprefix("www.")


def _check_promise(words: str, host: str, place: Place, notes: Notes) -> None:
    """A text that names one site above a link to another is how fraud looks."""
    match = _SHOWN.fullmatch(words.strip())
    if match is None or not host:
        return
    shown = match.group(1).lower().removeprefix("www.")
    if _FILES.fullmatch(shown.rsplit(".", 1)[1]) or _related(shown, host):
        return
    notes.add(
        Rule.MISLEADING_LINK,
        place,
        f"the link says {shown} and leads to {host}",
        "write the same site in both: spam filters take it for fraud",
    )


def _related(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _check_twins(issue: ParsedIssue, notes: Notes) -> None:
    """The same target picked twice, or linked twice in one paragraph."""
    _report_twins(list(_picked(issue.blocks)), notes, "is picked already in line")
    for node in walk(issue.blocks):
        if isinstance(node, Paragraph):
            links = [each for each in walk(node.children) if isinstance(each, Link)]
            _report_twins(links, notes, "is linked already in this paragraph, line")


def _report_twins(links: list[Link], notes: Notes, words: str) -> None:
    seen: dict[str, Link] = {}
    for link in links:
        target = _target(link.url)
        if not target:
            continue
        first = seen.setdefault(target, link)
        if first is not link:
            notes.add(
                Rule.DUPLICATE_LINK,
                link.place,
                f"{_address(link.url)[:60]} {words} {first.place.line}",
                "remove one of them",
            )


def _picked(blocks: object) -> Iterator[Link]:
    """Links that are picks of their own: items, cards, buttons. An item's card shows its link."""
    nodes = blocks if isinstance(blocks, tuple) else ()
    for node in nodes:
        match node:
            case Item(link=link):
                yield link
                yield from (each for each in _picked(node.blocks) if each.url != link.url)
            case Card(link=link):
                yield link
            case Buttons(links=links):
                yield from links
            case Alternative():
                # Nobody sees both sides.
                yield from _picked(node.then) if node.then else _picked(node.otherwise)
            case _:
                yield from _picked(getattr(node, "blocks", ()))


def _target(url: Words) -> str:
    """A URL as it is compared: no utm parameters, no fragment; empty where it varies."""
    if len(url) != 1 or not isinstance(url[0], Text) or not url[0].text.startswith("http"):
        return ""
    parts = urlsplit(url[0].text)
    query = [each for each in parse_qsl(parts.query) if not each[0].startswith("utm_")]
    host = (parts.hostname or "").removeprefix("www.")
    return f"{host}{parts.path.rstrip('/')}?{sorted(query)}"
