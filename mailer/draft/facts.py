"""What a page says of itself: title, description, image; of arXiv the paper's id and title."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lxml import etree, html

from mailer.draft.markdown import plain

MOST_TITLE = 200
MOST_DESCRIPTION = 280
_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE
)
_HEADER_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE)
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
#: As browsers do (WHATWG Encoding): what calls itself the left is read as the right.
_READ_AS = {"ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
_KNOWN = re.compile(
    r"utf-8|utf-16(-[lb]e)?|cp125\d|iso8859-\d+|shift_jis|euc_jp|euc_kr|big5|gb18030|koi8-[ru]"
)
_ARXIV_TITLE = re.compile(r"^\[\d{4}\.\d{4,5}(v\d+)?\]\s*")


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """What is known of a page, in plain words; empty where it is not."""

    title: str = ""
    description: str = ""
    image: str = ""
    image_words: str = ""


def facts_of(body: bytes, content_type: str, url: str) -> PageFacts:
    """Read a page; one that makes no sense has no facts."""
    text = decoded(body, content_type)
    try:
        # Nothing in a page is loaded: the parser has no network and resolves no entity.
        page = html.document_fromstring(text.encode("utf-8"), parser=_parser())
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return PageFacts()
    said = _meta(page)
    own = "".join(page.findtext(".//head/title") or page.findtext(".//title") or "")
    title = _first(said, "citation_title", "og:title", "twitter:title") or own
    description = _first(said, "og:description", "description", "twitter:description")
    return PageFacts(
        title=plain(_ARXIV_TITLE.sub("", title.strip()), MOST_TITLE),
        description=plain(description, MOST_DESCRIPTION),
        image=_image(_first(said, "og:image:secure_url", "og:image", "twitter:image"), url),
        image_words=plain(_first(said, "og:image:alt", "twitter:image:alt"), MOST_TITLE),
    )


def decoded(body: bytes, content_type: str) -> str:
    """The text of a page: its byte order mark decides, then the header, then the page itself."""
    for mark, name in _MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    header = _HEADER_CHARSET.search(content_type)
    inside = _META_CHARSET.search(body[:4096])
    for label in (header and header[1], inside and inside[1].decode("ascii")):
        if name := _codec(label or ""):
            return body.decode(name, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as exc:
        # A page may be cut within its last character.
        return body.decode("utf-8" if exc.start > len(body) - 4 else "cp1252", "replace")


def _codec(label: str) -> str:
    """A codec for text that pages are written in; Python knows others, such as `zip`."""
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return ""
    name = _READ_AS.get(name, name)
    return name if _KNOWN.fullmatch(name) else ""


def _parser() -> html.HTMLParser:
    return html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)


def _meta(page: html.HtmlElement) -> Mapping[str, str]:
    said: dict[str, str] = {}
    for each in page.iter("meta"):
        name = each.get("property") or each.get("name") or ""
        content = each.get("content") or ""
        if content.strip():
            said.setdefault(name.strip().lower(), content)
    return said


def _first(said: Mapping[str, str], *names: str) -> str:
    return next((said[name] for name in names if name in said), "")


def _image(source: str, url: str) -> str:
    """The image's whole URL, if mail programs may load it."""
    try:
        whole = urljoin(url, source.strip()) if source.strip() else ""
        parts = urlsplit(whole)
    except ValueError:
        return ""
    fit = parts.scheme == "https" and bool(parts.hostname) and whole.isprintable()
    return whole if fit and len(whole) <= 1000 else ""
