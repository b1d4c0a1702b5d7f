"""Issues of earlier days as HTML: pages, and the export of Revue. All of it is cleaned."""

from __future__ import annotations

import hashlib
import html as escaping
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import nh3
from lxml import html
from lxml.html import HtmlElement

from mailer.errors import IssueInvalid
from mailer.render.model import FORMAT, Rendering
from mailer.render.theme import direction

#: A page longer than this is no newsletter.
MAX_CHARACTERS = 5_000_000

_DATE = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_NUMBER = re.compile(r"(?:^|[^0-9a-z])(?:#|issue|vol|第)[\s._-]*(\d{1,6})(?!\d)", re.IGNORECASE)
_LANG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_DATED = (
    "//meta[@property='article:published_time']/@content",
    "//meta[@name='date']/@content",
    "//time/@datetime",
)


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """What a page tells of itself; `number` and `day` are None where it does not."""

    rendering: Rendering
    number: int | None
    day: date | None


def read_page(text: str, *, name: str, language: str) -> Foreign:
    """An HTML page; its file's name may tell number and day. Raises IssueInvalid."""
    if not text.strip() or len(text) > MAX_CHARACTERS:
        raise IssueInvalid(f"{name}: this is no HTML page, or far too long a one")
    page = html.document_fromstring(text)
    title = _title(page) or name
    lang = _language(page.get("lang", ""), language)
    body = page.find("body")
    content = "" if body is None else html.tostring(body, encoding="unicode")
    return Foreign(
        rendering=wrap(title, content, lang=lang),
        number=_number(name) or _number(title),
        day=_day(page, name),
    )


def wrap(title: str, content: str, *, lang: str, preheader: str = "") -> Rendering:
    """A rendering of HTML that somebody else wrote: cleaned of all that is more than text.

    Scripts, forms, frames, styles and what a mail counted its readers with do not come along.
    """
    cleaned = nh3.clean(content, url_schemes={"http", "https", "mailto"})
    body = html.fragment_fromstring(cleaned, create_parent="div")
    _drop_pixels(body)
    text = " ".join(body.text_content().split())
    if not text:
        raise IssueInvalid(f"{title}: there is no text in it")
    clean = html.tostring(body, encoding="unicode")
    side = direction(lang)
    shown = escaping.escape(title)
    return Rendering(
        format=FORMAT,
        nonce=hashlib.sha256(clean.encode()).hexdigest()[:16],
        lang=lang,
        direction=side,
        title=title,
        subject=title,
        preheader=preheader or text[:150],
        html=(
            f'<!doctype html><html lang="{lang}" dir="{side}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{shown}</title></head>"
            f'<body><main class="pr-old"><h1>{shown}</h1>{clean}</main></body></html>'
        ),
        text=f"{title}\n\n{text}\n",
        slots=(),
        conditions=(),
    )


def revue_content(issue: Mapping[str, str], items: list[Mapping[str, object]]) -> str:
    """One issue of a Revue export as HTML: its introduction, then its items in their order."""
    pieces = [issue.get("description") or ""]
    for item in sorted(items, key=lambda each: _order(each.get("order"))):
        told = {key: str(value) for key, value in item.items() if value not in (None, "")}
        pieces.append(_revue_item(told))
    return "\n".join(pieces)


def _revue_item(item: Mapping[str, str]) -> str:
    title = escaping.escape(item.get("title", ""))
    url = escaping.escape(item.get("url", ""))
    words = item.get("description", "") or escaping.escape(item.get("tweet_description", ""))
    kind = item.get("item_type", "")
    image = escaping.escape(item.get("image", ""))
    picture = f'<p><img src="{image}" alt="{title}"></p>' if image else ""
    if kind == "header":
        return f"<h2>{title}</h2>{words}"
    if kind == "image":
        return picture + words
    if url:
        return f'<h3><a href="{url}">{title or url}</a></h3>{picture}<div>{words}</div>'
    return f"<h3>{title}</h3>{words}" if title else words


def _order(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _drop_pixels(body: HtmlElement) -> None:
    for image in list(body.iter("img")):
        if {image.get("width"), image.get("height")} & {"0", "1"} or not image.get("src"):
            image.drop_tree()


def _title(page: HtmlElement) -> str:
    for path in ("//meta[@property='og:title']/@content", "//title/text()", "//h1"):
        for found in page.xpath(path):
            words = found if isinstance(found, str) else found.text_content()
            if words.strip():
                return " ".join(words.split())
    return ""


def _language(told: str, fallback: str) -> str:
    return told if _LANG.fullmatch(told) else fallback


def _number(words: str) -> int | None:
    if words.isdecimal() and len(words) < 7:
        return int(words)
    found = _NUMBER.search(words)
    return int(found[1]) if found else None


def _day(page: HtmlElement, name: str) -> date | None:
    for words in [name, *(each for path in _DATED for each in page.xpath(path))]:
        found = _DATE.search(words)
        if found:
            try:
                return date(*map(int, found.groups()))
            except ValueError:
                continue
    return None
