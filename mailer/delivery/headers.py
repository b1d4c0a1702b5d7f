"""Header values as bytes: RFC 2047 words, mailboxes, folding, and the relaxed canonical form."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from functools import lru_cache

from mailer.errors import SettingsInvalid
from mailer.render.escape import escape
from mailer.render.model import Escape

#: RFC 5322 section 2.1.1: lines should have no more octets than this, and must not have 998.
LINE = 78
#: Longer names and longer merged values in a header are cut.
MAX_NAME = 100
MAX_HEADER_VALUE = 200

# With the longest name ("Reply-To: ") and the marks of an encoded word this fills a line.
_WORD_OCTETS = 42
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_BLANKS = re.compile(rb"[ \t]+")
_OURS = frozenset(
    {
        "bcc",
        "cc",
        "content-transfer-encoding",
        "content-type",
        "date",
        "dkim-signature",
        "feedback-id",
        "from",
        "list-id",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "message-id",
        "mime-version",
        "received",
        "reply-to",
        "return-path",
        "sender",
        "subject",
        "to",
        "x-pressrun-delivery",
    }
)


def clean(text: str, most: int) -> str:
    """Text fit for a header: one line, single blanks, no control characters, of bounded length.

    Blanks that are not plain ones (no-break, ideographic) are the author's and stay.
    """
    return " ".join(filter(None, escape(text[:most], Escape.HEADER).split(" ")))


def unstructured(text: str, name: str) -> bytes:
    """The value of a header such as Subject, folded; encoded where ASCII won't do."""
    words = text.split()
    if text.isascii() and "=?" not in text and all(len(word) < LINE - 1 for word in words):
        return fold(name, [word.encode("ascii") for word in words])
    return fold(name, encoded_words(text))


def encoded_words(text: str) -> list[bytes]:
    """Text as RFC 2047 words, each of whole characters; readers drop the blanks between them."""
    octets = text.encode()
    words, start = [], 0
    while start < len(octets):
        end = start + _WORD_OCTETS
        while end < len(octets) and octets[end] & 0xC0 == 0x80:
            end -= 1
        words.append(b"=?utf-8?b?" + b2a_base64(octets[start:end], newline=False) + b"?=")
        start = end
    return words


def phrase(name: str) -> list[bytes]:
    """A display name as words: atoms, a quoted string, or encoded words."""
    if not name:
        return []
    if not name.isascii() or "=?" in name or len(name) > LINE - 20:
        return encoded_words(name)
    if _ATOMS.fullmatch(name):
        return [name.encode("ascii")]
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return [b'"' + quoted.encode("ascii") + b'"']


def mailbox(field: str, name: str, address: str) -> bytes:
    """The value of a header that names one mailbox (RFC 5322 section 3.4), folded.

    `address` has its domain in ASCII; a local part beyond ASCII goes as UTF-8 (RFC 6532).
    """
    path = b"<" + address.encode() + b">"
    return fold(field, [*phrase(clean(name, MAX_NAME)), path])


def fold(name: str, words: Sequence[bytes]) -> bytes:
    """Words with blanks between, or line ends and blanks where a line would get too long."""
    whole = b" ".join(words)
    if len(name) + 2 + len(whole) <= LINE:
        return whole
    lines, room = [b""], LINE - len(name) - 2
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = LINE - 1
        else:
            lines[-1] += b" " + word if lines[-1] else word
    return b"\r\n ".join(lines)


def relaxed(name: str, value: bytes) -> bytes:
    """The relaxed canonical form of one header, with its CRLF (RFC 6376 section 3.4.2)."""
    unfolded = _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip()
    return name.lower().encode("ascii") + b":" + unfolded + b"\r\n"


def unfolded(name: str, value: bytes) -> bytes:
    """The same, quicker, for values made here: their blanks are single ones."""
    return name.lower().encode("ascii") + b":" + value.replace(b"\r\n", b"") + b"\r\n"


@lru_cache(maxsize=256)
def opaque(value: str) -> str:
    """A word of letters, digits and hyphens, from any text: for List-Id and Feedback-ID."""
    return re.sub(r"[^A-Za-z0-9]+", "-", value).strip("-").lower()[:60] or "newsletter"


def relay_headers(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """The relay's extra headers, folded; raises SettingsInvalid for what no header may hold."""
    return [(name, _relay_header(name, value)) for name, value in headers.items()]


def _relay_header(name: str, value: str) -> bytes:
    where = f"relay.headers: {name!r}"
    if not _FIELD_NAME.fullmatch(name):
        raise SettingsInvalid(f"{where} is no header's name; use letters, digits and hyphens")
    if name.lower() in _OURS:
        raise SettingsInvalid(f"{where} is written by Pressrun itself; remove it")
    if not value.strip() or value != escape(value, Escape.HEADER):
        raise SettingsInvalid(f"{where} is empty or has a line end or control character; mend it")
    return unstructured(value, name)
