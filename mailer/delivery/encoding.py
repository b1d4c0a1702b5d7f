"""Transfer encodings in pieces: what is fixed is encoded once, values are fitted in between.

Every encoded piece starts at the beginning of a line and ends with CRLF (in quoted-printable a
soft break where the text has none), so pieces can be strung together in any order. What comes
out is its own relaxed DKIM canonical form (RFC 6376 section 3.4.4), holds no line over 76
characters, and no line that starts with a dot: nothing is left to scan or stuff per message.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable
from dataclasses import dataclass

SOFT_BREAK = b"=\r\n"

#: A line, without its soft break, before a dot at its start is encoded (two characters more).
_WIDTH = 73
_LITERAL_WIDTH = 75
# Everything but visible ASCII and single blanks: a blank after a blank, or at the end of its
# line, would not survive canonicalisation.
_UNSAFE = re.compile(rb"[^!-<>-~ ]|(?<= ) | \Z")
_ESCAPES = {bytes((octet,)): b"=%02X" % octet for octet in range(256)}
_BASE64_OCTETS = 57


def quoted_printable(text: str) -> bytes:
    """Encode a piece of text, whose lines end in LF, as whole lines (RFC 2045 section 6.7)."""
    *lines, last = text.encode().split(b"\n")
    encoded = [_encode_line(line) + b"\r\n" for line in lines]
    if last:
        encoded.append(_encode_line(last) + SOFT_BREAK)
    return b"".join(encoded)


def quoted_printable_value(value: str) -> bytes:
    """Encode a value, which has no line ends; the same as `quoted_printable`, only quicker."""
    if 0 < len(value) <= _LITERAL_WIDTH and _stands_as_it_is(value):
        return value.encode("ascii") + SOFT_BREAK
    return quoted_printable(value)


def _stands_as_it_is(value: str) -> bool:
    return (
        value.isascii()
        and value.isprintable()
        and "=" not in value
        and "  " not in value
        and value[0] not in " .F"
        and value[-1] != " "
    )


def _encode_line(line: bytes) -> bytes:
    escaped = _UNSAFE.sub(lambda match: _ESCAPES[match[0]], line)
    pieces = []
    while len(escaped) > _WIDTH:
        sign = escaped.rfind(b"=", _WIDTH - 2, _WIDTH)  # not inside an =XX
        cut = _WIDTH if sign < 0 else sign
        pieces.append(_guard(escaped[:cut]))
        escaped = escaped[cut:]
    pieces.append(_guard(escaped))
    return SOFT_BREAK.join(pieces)


def _guard(line: bytes) -> bytes:
    """Encode what SMTP would stuff at the start of a line, and what an mbox would rewrite."""
    if line.startswith((b".", b"From ")):
        return _ESCAPES[line[:1]] + line[1:]
    return line


@dataclass(frozen=True, kw_only=True)
class Base64Piece:
    """A fixed piece, encoded for each of the three places in a group where it can start.

    `phases[n]` serves when n octets (modulo 3) wait before it: the octets that complete their
    group, the encoded lines, and the octets left for the next group.
    """

    phases: tuple[tuple[bytes, bytes, bytes], ...]


def base64_piece(text: str) -> Base64Piece | bytes:
    """Encode a piece of text, whose lines end in LF; one too short for a group stays octets."""
    octets = text.replace("\n", "\r\n").encode()
    return Base64Piece(phases=tuple(_phase(octets, n) for n in range(3))) if octets[2:] else octets


def _phase(octets: bytes, waiting: int) -> tuple[bytes, bytes, bytes]:
    start = -waiting % 3
    end = len(octets) - (len(octets) - start) % 3
    return octets[:start], _base64_lines(octets[start:end]), octets[end:]


def base64_body(parts: Iterable[Base64Piece | bytes]) -> bytes:
    """String fixed pieces and the octets of values together (RFC 2045 section 6.8)."""
    lines: list[bytes] = []
    waiting = b""
    for part in parts:
        if isinstance(part, bytes):
            waiting += part
            continue
        completes, encoded, rest = part.phases[len(waiting) % 3]
        lines += (_base64_lines(waiting + completes), encoded)
        waiting = rest
    lines.append(_base64_lines(waiting))
    return b"".join(lines)


def _base64_lines(octets: bytes) -> bytes:
    return b"".join(
        b2a_base64(octets[start : start + _BASE64_OCTETS], newline=False) + b"\r\n"
        for start in range(0, len(octets), _BASE64_OCTETS)
    )
