"""The URLs of an issue as they will stand in mail: absolute, plain ASCII, with utm parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit, urlunsplit

import idna

from mailer.issue.model import Merge, Text, Words
from mailer.render.model import Escape
from mailer.render.slots import SlotBook

#: Everything RFC 3986 allows in a URL, and the percent sign of what is encoded already.
_ALLOWED = "!#$%&'()*+,/:;=?@[]~-._"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def address(
    url: Words, book: SlotBook, *, whole: Escape, utm: Iterable[tuple[str, str]] = ()
) -> str:
    """The URL with slots in it; `whole` escapes a slot that is the URL itself.

    utm parameters already there are replaced by `utm`; a URL that is a slot, or is no http(s)
    URL, is left alone.
    """
    if len(url) == 1 and isinstance(url[0], Merge) and not book.is_constant(url[0].expression):
        return book.value(url[0].expression, whole)
    plain = ascii_url("".join(_parts(url, book)))
    return with_utm(plain, utm)


def _parts(url: Words, book: SlotBook) -> Iterable[str]:
    for index, part in enumerate(url):
        if isinstance(part, Text):
            yield part.text
        elif index == 0 and book.is_constant(part.expression):
            yield book.text(part.expression)
        else:
            yield book.value(part.expression, Escape.URL)


def ascii_url(url: str) -> str:
    """An IRI as a URL: the host in IDNA, the rest percent-encoded, what is encoded left alone."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return quote(url, safe=_ALLOWED)
    netloc = parts.netloc
    if not host.isascii():
        netloc = netloc.lower().replace(host, _idna(host))
    tail = [
        _LONE_PERCENT.sub("%25", quote(part, safe=_ALLOWED))
        for part in (parts.path, parts.query, parts.fragment)
    ]
    return urlunsplit((parts.scheme, quote(netloc, safe=_ALLOWED), *tail))


def _idna(host: str) -> str:
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return quote(host)


def with_utm(url: str, utm: Iterable[tuple[str, str]]) -> str:
    """`url` with these utm parameters instead of those it has; the rest stays byte for byte."""
    wanted = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in utm]
    parts = urlsplit(url)
    if not wanted or parts.scheme.lower() not in ("http", "https"):
        return url
    kept = [
        piece for piece in parts.query.split("&") if piece and not piece.lower().startswith("utm_")
    ]
    path = parts.path or "/"
    return urlunsplit(parts._replace(path=path, query="&".join([*kept, *wanted])))
