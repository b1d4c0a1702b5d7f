"""What a report encloses of the copy it is about: whose it was, and the marks that name it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailer.delivery.compose import TOKEN_HEADER
from mailer.feedback.inbound_message import InboundMessage, Part
from subscribers.token import VERP_PREFIX

_KINDS = frozenset(
    {
        "message/rfc822",
        "message/rfc822-headers",
        "message/global",
        "message/global-headers",
        "message/partial",
        "text/rfc822",
        "text/rfc822-header",
        "text/rfc822-headers",
    }
)
_FIELD = re.compile(r"^[ >|]{0,3}([A-Za-z][A-Za-z-]{1,40})\s{0,2}:[ \t]*(\S.*)?$")
_WANTED = frozenset(
    {
        "message-id",
        "from",
        "to",
        "sender",
        "reply-to",
        "return-path",
        "x-hmxmroriginalrecipient",
        "x-original-to",
        "delivered-to",
        TOKEN_HEADER.lower(),
    }
)
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'@]{1,128}@[^\s<>()\[\],;:\"'@]{1,253}")
_VERP = re.compile(rf"{VERP_PREFIX}[a-z2-7]{{40}}(?![a-z2-7])", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{34}")
#: Where the server that took the report wrote whom it was for.
_ENVELOPE = ("x-original-to", "delivered-to", "envelope-to", "x-envelope-to", "to")


@dataclass(frozen=True, kw_only=True)
class ReturnedCopy:
    """Headers of the enclosed copy, by lower-case name, first ones first."""

    headers: dict[str, tuple[str, ...]]

    def header(self, name: str) -> str:
        """The first of that name; empty if there is none."""
        return next(iter(self.headers.get(name, ())), "")

    def addresses(self, *names: str) -> tuple[str, ...]:
        """The addresses in these headers."""
        values = (value for name in names for value in self.headers.get(name, ()))
        return tuple(found for value in values for found in _ADDRESS.findall(value))


def is_copy(part: Part) -> bool:
    """Whether a part is the message that is being reported on, or its header."""
    return part.kind in _KINDS


def returned_copy(message: InboundMessage, text: str) -> ReturnedCopy:
    """Read the enclosed copy, or what a plain `text` quotes of it."""
    enclosed = [part for part in message.parts if is_copy(part)]
    headers: dict[str, list[str]] = {}
    for name, value in _fields([part.text for part in enclosed] or [text]):
        headers.setdefault(name, []).append(value)
    return ReturnedCopy(headers={name: tuple(values) for name, values in headers.items()})


def _fields(texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in texts:
        name, value = "", ""
        for line in text[:32_000].split("\n"):
            found = None if line[:1] in (" ", "\t") else _FIELD.match(line[:2_000])
            if found:
                if name:
                    yield name, value
                name, value = found[1].lower(), found[2] or ""
                name = name if name in _WANTED else ""
            elif name and len(value) < 2_000:
                value = f"{value} {line.strip()}".strip()
        if name:
            yield name, value


def tokens(message: InboundMessage, copy: ReturnedCopy) -> tuple[str, ...]:
    """What may name our delivery, best first: Return-Path, our header, Message-ID; unverified."""
    sent_to = " ".join(message.header(name) for name in _ENVELOPE)
    found = _VERP.findall(sent_to)
    found += _VERP.findall(" ".join(copy.headers.get("return-path", ())))
    found += _TOKEN.findall(copy.header(TOKEN_HEADER.lower()))[:1]
    local = copy.header("message-id").strip().lstrip("<").partition("@")[0].partition(".")[0]
    if _TOKEN.fullmatch(local):
        found.append(local)
    return tuple(dict.fromkeys(found))


def message_id(copy: ReturnedCopy) -> str:
    """The copy's Message-ID with its angle brackets; empty if it isn't told."""
    found = re.search(r"<[^\s<>]{1,300}>", copy.header("message-id"))
    return found[0] if found else ""
