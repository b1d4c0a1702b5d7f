"""A message that came in, taken apart: a MIME walk over bytes that no message makes raise.

Whatever its line ends (LF, CRLF or CR), charset or damage, only the first `MOST_BYTES` are read,
at most `MOST_PARTS` parts, `DEEPEST` levels deep; each step is linear in what it reads.
"""

from __future__ import annotations

import base64
import binascii
import html
import itertools
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_BYTES = 256 * 1024
MOST_PARTS = 100
MOST_HEADERS = 300
LONGEST_FIELD = 10_000
#: Lines like a boundary that we look at, in one multipart.
MOST_MARKS = 1_000
MOST_TEXT = 64 * 1024
DEEPEST = 8

_FIELD = re.compile(rb"[!-9;-~]{1,76}[ \t]*:")
_PARAMETER = re.compile(r";\s*([\w*-]{1,30})\s*=\s*(?:\"([^\"]{0,200})\"?|([^\s;\"]{1,200}))")
_ENCODED_WORD = re.compile(r"=\?([\w*-]{1,40})\?([bBqQ])\?([^?]{0,500})\?=(?:[ \t]{1,8}(?==\?))?")
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>@]{0,1000}>")
_HIDDEN = re.compile(r"<(style|script)\b", re.IGNORECASE)
#: A report whose header lost its Content-Type still says so in its first lines.
_LOST_BOUNDARY = re.compile(rb"--([^\s\"]{5,70})[ \t]*\Z")

_MBOX = re.compile(
    rb"(?:\A|\n\r?\n|\r\r)From [^\r\n]{0,200} \d\d:\d\d:\d\d [^\r\n]{0,20}\d{4}(?=\r|\n)"
)

# Decoders whose cost is not linear, or that are no charsets.
_NO_CHARSET = re.compile(r"idna|punycode|undefined|.*escape.*|mbcs|oem", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A header and, for text, its body in clear: `kind` as in `text/plain`, `level` from 0."""

    kind: str
    headers: tuple[tuple[str, str], ...]
    parameters: dict[str, str]
    text: str

    def header(self, name: str) -> str:
        """The first header of that (lower-case) name, unfolded; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, kw_only=True)
class InboundMessage:
    """The outermost header, and the leaves in the order they stand."""

    top: Part
    parts: tuple[Part, ...]

    def header(self, name: str) -> str:
        """The message's own first header of that (lower-case) name."""
        return self.top.header(name)


def messages_in(content: bytes) -> list[bytes]:
    """The messages of an mbox, or the one that the content is."""
    if not content.startswith(b"From "):
        return [content]
    starts = [found.start() for found in _MBOX.finditer(content)]
    return [content[a:b].lstrip() for a, b in itertools.pairwise([*starts, len(content)])]


def take_apart(raw: bytes) -> InboundMessage:
    """Read a message; never raises, whatever it is given (RFC 5322, 2045-2047)."""
    content = _line_feeds(raw[:MOST_BYTES])
    if content.startswith((b"From ", b">From ")):
        content = content.partition(b"\n")[2]
    head, body = _split(content)
    top = _part(head, body)
    leaves: list[Part] = []
    for leaf in _leaves(top, body, 0):
        leaves.append(leaf)
        if len(leaves) >= MOST_PARTS:
            break
    return InboundMessage(top=top, parts=tuple(leaves))


def _line_feeds(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")


def _split(content: bytes) -> tuple[list[bytes], bytes]:
    """Lines of the header, unfolded, and the body; what starts without a field is all body."""
    lines: list[bytes] = []
    at = 0
    for _ in range(10 * MOST_HEADERS):
        if at >= len(content) or len(lines) >= MOST_HEADERS:
            break
        end = content.find(b"\n", at)
        end = len(content) if end < 0 else end
        line = content[at:end]
        if not line.strip():
            return lines, content[end + 1 :]
        if line[:1] in b" \t" and lines:
            if len(lines[-1]) < LONGEST_FIELD:
                lines[-1] += b" " + line.strip()[:LONGEST_FIELD]
        elif _FIELD.match(line):
            lines.append(line[:LONGEST_FIELD])
        else:
            break
        at = end + 1
    return lines, content[at:]


def _part(head: list[bytes], body: bytes) -> Part:
    headers = tuple(_field(line) for line in head)
    given = next((value for name, value in headers if name == "content-type"), "")
    kind = given.partition(";")[0].strip().lower()
    parameters = {
        name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(given)
    }
    encoding = next((v for name, v in headers if name == "content-transfer-encoding"), "")
    text = "" if _is_opaque(kind) else _text(body, encoding, parameters.get("charset", ""))
    if kind == "text/html":
        text = _without_markup(text)
    return Part(kind=kind or "text/plain", headers=headers, parameters=parameters, text=text)


def _is_opaque(kind: str) -> bool:
    return kind.startswith(("image/", "audio/", "video/", "application/", "font/", "multipart/"))


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.partition(b":")
    return name.decode("ascii", "replace").strip().lower(), words(_decode(value, "")).strip()


def words(text: str) -> str:
    """Decode the encoded words of a header (RFC 2047); what is broken stays as it is."""
    return _ENCODED_WORD.sub(_word, text) if "=?" in text else text


def _word(match: re.Match[str]) -> str:
    charset, how, coded = match[1], match[2].lower(), match[3].encode("ascii", "replace")
    if how == "q":
        return _decode(quopri.decodestring(coded.replace(b"_", b"=20")), charset)
    return _decode(_from_base64(coded), charset)


def _leaves(part: Part, body: bytes, level: int) -> Iterator[Part]:
    boundary = _boundary(part, body) if level < DEEPEST else b""
    if not boundary:
        yield part if part.text or not body else _part([b"Content-Type: text/plain"], body)
        return
    before, *pieces = _pieces(body, boundary)
    if not part.kind.startswith("multipart/") and before.strip():
        yield _part([], before)
    for piece in pieces:
        head, inner = _split(piece)
        if piece.startswith(b"\n"):
            head, inner = [], piece[1:]
        yield from _leaves(_part(head, inner), inner, level + 1)


def _boundary(part: Part, body: bytes) -> bytes:
    """What separates the parts, where it does occur in the body; empty where there are none."""
    if part.kind.startswith("multipart/"):
        declared = part.parameters.get("boundary", "").encode("utf-8", "replace")
        if declared and (b"\n--" + declared in body or body.startswith(b"--" + declared)):
            return declared
        return _lost(body)
    if part.headers and not part.header("content-type"):
        return _lost(body)
    return b""


def _lost(body: bytes) -> bytes:
    for line in body[:2_000].split(b"\n")[:8]:
        found = _LOST_BOUNDARY.match(line)
        if found and body.count(b"\n--" + found[1]) >= 2:
            return found[1]
    return b""


def _pieces(body: bytes, boundary: bytes) -> list[bytes]:
    """What stands before, between and after the boundary's lines, as far as we read."""
    pieces: list[bytes] = []
    at = start = 0
    mark = b"\n--" + boundary
    body = b"\n" + body
    for _ in range(MOST_MARKS):
        found = body.find(mark, at)
        if found < 0:
            break
        end = body.find(b"\n", found + 1)
        end = len(body) if end < 0 else end
        rest = body[found + len(mark) : end].strip()
        if rest in (b"", b"--"):
            pieces.append(body[start:found])
            start = min(end + 1, len(body))
            if rest == b"--":
                return pieces
        at = end
        if len(pieces) > MOST_PARTS:
            return pieces
    return [*pieces, body[start:]]


def _text(body: bytes, encoding: str, charset: str) -> str:
    how = encoding.strip().lower()
    if how == "quoted-printable":
        body = quopri.decodestring(body[: 2 * MOST_TEXT])
    elif how == "base64":
        decoded = _from_base64(body[: 2 * MOST_TEXT])
        body = decoded if decoded.strip() else body
    return _decode(_line_feeds(body[:MOST_TEXT]), charset)


def _from_base64(coded: bytes) -> bytes:
    kept = re.sub(rb"[^A-Za-z0-9+/]", b"", coded.partition(b"=")[0])
    try:
        return base64.b64decode(kept[: len(kept) // 4 * 4] + _tail(kept))
    except (binascii.Error, ValueError):
        return b""


def _tail(kept: bytes) -> bytes:
    left = kept[len(kept) // 4 * 4 :]
    return left + b"=" * (4 - len(left)) if len(left) >= 2 else b""


def _decode(raw: bytes, charset: str) -> str:
    name = charset.strip().lower().partition("*")[0]
    for candidate in (name, "utf-8"):
        if not candidate or _NO_CHARSET.fullmatch(candidate):
            continue
        try:
            return raw.decode(candidate)
        except (LookupError, ValueError):
            continue
    return raw.decode("latin-1")


def _without_markup(text: str) -> str:
    shown = []
    for position, piece in enumerate(_HIDDEN.split(text)):
        # The pattern's group: the name of what is hidden, then what stands from there on.
        if position % 2:
            continue
        shown.append(piece if position == 0 else piece[max(piece.find("</"), 0) :])
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", "".join(shown))))
