"""Replies: bytes as they come become what the server said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mailer.diagnosis import enhanced_code

#: RFC 5321 4.5.3.1.5 allows 512 octets; some servers write far more. What is longer is garbage.
MOST_LINE = 4096
#: The whole of a reply with many lines, so that memory stays bounded.
MOST_REPLY = 32_768


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One complete reply: its code, the RFC 3463 code if it had one, and its text.

    Lines of `text` are joined by newlines, without the codes in front of them.
    """

    code: int
    enhanced: str | None
    text: str


class ReplyParser:
    """Turn bytes as they come into replies (RFC 5321 4.2), holding a bounded amount of them."""

    def __init__(self) -> None:
        self._partial = b""
        self._lines: list[bytes] = []
        self._held = 0

    def feed(self, received: bytes) -> Iterator[Reply]:
        """Give the replies that are complete now, then raise ValueError at what is no reply."""
        *lines, self._partial = (self._partial + received).split(b"\n")
        for line in lines:
            if (reply := self._take(line.rstrip(b"\r"))) is not None:
                yield reply
        if len(self._partial) > MOST_LINE:
            raise ValueError("a reply line without an end")

    def _take(self, line: bytes) -> Reply | None:
        if not self._lines and (reply := _of_one_line(line)) is not None:
            return reply
        self._held += len(line)
        if len(line) > MOST_LINE or self._held > MOST_REPLY:
            raise ValueError("an endless reply")
        last = _is_last(line)
        if self._lines and self._lines[0][:3] != line[:3]:
            raise ValueError("one reply with two codes")
        self._lines.append(line)
        if not last:
            return None
        lines, self._lines, self._held = self._lines, [], 0
        return _reply(lines)


# Most of what a server says it has said before.
@lru_cache(maxsize=64)
def _of_one_line(line: bytes) -> Reply | None:
    """The reply, or None where more lines belong to it."""
    if len(line) > MOST_LINE:
        raise ValueError("an endless reply")
    return _reply([line]) if _is_last(line) else None


def _is_last(line: bytes) -> bool:
    code, dash = line[:3], line[3:4]
    if not (code.isdigit() and len(code) == 3 and code[:1] in b"2345" and dash in b" -"):
        raise ValueError(f"no SMTP reply: {_readable(line[:80])}")
    return dash != b"-"


def _reply(lines: list[bytes]) -> Reply:
    texts = [_readable(line[4:]).strip() for line in lines]
    enhanced = enhanced_code(texts[0])
    if enhanced:
        texts = [text.removeprefix(enhanced).lstrip() for text in texts]
    return Reply(code=int(lines[0][:3]), enhanced=enhanced, text="\n".join(texts))


def _readable(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text)
