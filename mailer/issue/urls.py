"""Which URLs an issue may hold."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mailer.issue.model import Merge, Text, Words

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_WEB = re.compile(r"https?://[^/?#]+[/?#]", re.IGNORECASE)
#: A path below the issue's folder: not `/…`, not `//host/…`, no query.
_PATH = re.compile(r"[^/?#\\][^?#\\]*")
_CONTACT = ("mailto", "tel")
_ARXIV = re.compile(
    r"https?://(?:www\.)?arxiv\.org/(?:abs|pdf|html)/(\d{4}\.\d{4,5})", re.IGNORECASE
)
#: Fields that hold a whole URL known before anybody's copy is made: more may follow them.
_KNOWN_BEFORE = {("newsletter", "url"), ("issue", "canonical_url")}


def judge(url: Words, *, image: bool = False) -> tuple[str, str] | None:
    """What is wrong with this URL and how to mend it, or None.

    A merge field may be the whole URL or stand behind the host: a host that a subscriber's
    value decides would be an open door.
    """
    if not url:
        return "this link leads nowhere", "write the address between the parentheses: (https://…)"
    first = url[0]
    if isinstance(first, Merge):
        return _judge_field(first, alone=len(url) == 1)
    return _judge_text(first, alone=len(url) == 1, image=image)


def _judge_field(first: Merge, *, alone: bool) -> tuple[str, str] | None:
    if alone or first.expression.names <= _KNOWN_BEFORE:
        return None
    return (
        "a merge field at the start of a URL can't be followed by more",
        "begin with https://… or let the field hold the whole URL",
    )


def _judge_text(first: Text, *, alone: bool, image: bool) -> tuple[str, str] | None:
    text = first.text
    scheme = _SCHEME.match(text)
    if image and alone and local_path((first,)) is not None:
        return None
    if scheme is None:
        shown = text if len(text) <= 60 else text[:59] + "…"
        what = "image" if image else "link"
        return f"relative {what} {shown!r}", (
            "write a path from the issue's folder, or https://…"
            if image
            else "write the whole address: https://…"
        )
    name = scheme.group(1).lower()
    if name in _CONTACT and not image:
        return None
    if name not in ("http", "https"):
        allowed = "https://" if image else "https:// or mailto:"
        return f"{name}: can't stand in mail", f"use {allowed}"
    if not _is_web(text):
        return f"{text!r} is no valid URL", "write https://, a host and a path"
    if not alone and not _WEB.match(text):
        return "a merge field can't be part of a host", "put a / before it: https://host/…"
    return None


def _is_web(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  (raises for a port that is none)
    except ValueError:
        return False
    return bool(parts.hostname) and not re.search(r"[\s\"<>\\^`{|}]", parts.netloc)


def judge_web(url: str) -> tuple[str, str] | None:
    """What keeps this from being the whole URL of a web page, or None."""
    if problem := judge((Text(text=url),) if url else ()):
        return problem
    if not re.match("https?:", url, re.IGNORECASE) or not url.isprintable():
        return f"{url[:60]!r} is no page", "write https://, a host and a path"
    return None


def arxiv_id(url: str) -> str | None:
    """The id of the paper that a URL of arXiv leads to."""
    match = _ARXIV.match(url)
    return match.group(1) if match else None


def local_path(url: Words) -> str | None:
    """The path of an image that lies beside the issue; None where its URL is a whole one."""
    match url:
        case (Text(text=text),) if text and not _SCHEME.match(text) and _PATH.fullmatch(text):
            return text.removeprefix("./")
    return None


def domain(url: Words) -> str:
    """The host a reader knows the site by: without `www.`; empty for what has none."""
    first = url[0] if url else None
    if not isinstance(first, Text):
        return ""
    try:
        host = urlsplit(first.text).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")
