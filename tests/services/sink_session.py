"""One client's dialogue with a sink: SMTP with PIPELINING and CHUNKING, judged by its keeper."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

#: What a sink may offer; without the first two it is spoken to step by step.
EXTENSIONS = (
    *("PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"),
    "SIZE 52428800",
)
#: Who was told that all is over has so many seconds to hang up.
LINGER = 2.0
_PATH = re.compile(rb"^[^<]*<([^>]*)>")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is said to a message, after so many seconds."""

    words: bytes = b"250 2.0.0 taken\r\n"
    after: float = 0.0


class Keeper(Protocol):
    """Whom the dialogue asks; one for all connections of a sink."""

    @property
    def extensions(self) -> Sequence[str]:
        """What is offered."""

    def judge(self, recipient: bytes) -> bytes:
        """The reply to a RCPT."""

    def take(self, sender: bytes, recipients: list[bytes], content: bytes) -> Answer | None:
        """Take a message or not; None cuts the connection."""

    def holds(self, moment: str) -> bool:
        """Whether the dialogue stops for ever: at a verb, in the `body`, before it is taken
        (`dot`), or before that is said (`taken`)."""


class Session(asyncio.Protocol):
    """One client. Commands may be pipelined (RFC 2920); a body ends at the lone dot, or where
    BDAT said (RFC 3030)."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._buffer = bytearray()
        self._in_body = False
        self._owed: int | None = None
        self._waiting = False
        self._searched = 0
        self._sender: bytes | None = None
        self._recipients: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._buffer += data
        self._proceed()

    def _proceed(self) -> None:
        while not self._waiting and self._take():
            pass

    def _take(self) -> bool:
        if self._owed is not None:
            return self._take_chunk()
        return self._take_body() if self._in_body else self._take_line()

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        if self._is_held(line[:4].upper().decode("ascii", "replace")):
            return False
        reply = self._answer(line[:4].upper(), line)
        self._transport.write(reply)
        if reply.startswith(b"221"):
            self._transport.close()
        return True

    def _answer(self, verb: bytes, line: bytes) -> bytes:
        match verb:
            case b"EHLO":
                self._forget()
                words = ["sink", *self._keeper.extensions]
                return b"".join(
                    f"250{' ' if n == len(words) else '-'}{word}\r\n".encode()
                    for n, word in enumerate(words, 1)
                )
            case b"HELO" | b"RSET":
                self._forget()
                return b"250 2.0.0 ok\r\n"
            case b"MAIL":
                return self._mail(line)
            case b"RCPT":
                return self._rcpt(line)
            case b"DATA":
                return self._data()
            case b"BDAT":
                # No reply before the bytes: they are owed even where nobody is to get them.
                self._owed = int(line.split()[1])
                return b""
            case b"NOOP":
                return b"250 2.0.0 ok\r\n"
            case b"QUIT":
                return b"221 2.0.0 bye\r\n"
        return b"500 5.5.1 what?\r\n"

    def _mail(self, line: bytes) -> bytes:
        found = _PATH.match(line)
        if self._sender is not None or found is None:
            return b"503 5.5.1 nested MAIL, or no path\r\n"
        self._sender = found[1]
        return b"250 2.1.0 ok\r\n"

    def _rcpt(self, line: bytes) -> bytes:
        found = _PATH.match(line)
        if self._sender is None or found is None:
            return b"503 5.5.1 MAIL first, and a path\r\n"
        reply = self._keeper.judge(found[1])
        if reply.startswith(b"250"):
            self._recipients.append(found[1])
        return reply

    def _data(self) -> bytes:
        if not self._recipients:
            return b"554 5.5.1 no valid recipients\r\n"
        self._in_body = True
        self._searched = 0
        # The dot is looked for with the line end before it; an empty body starts with the dot.
        self._buffer[:0] = b"\r\n"
        return b"354 go ahead\r\n"

    def _take_body(self) -> bool:
        if len(self._buffer) > 2 and self._is_held("body"):
            return False
        end = self._buffer.find(b"\r\n.\r\n", self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - 4)
            return False
        content = bytes(self._buffer[2 : end + 2]).replace(b"\r\n..", b"\r\n.")
        del self._buffer[: end + 5]
        self._in_body = False
        self._judge(content)
        return True

    def _take_chunk(self) -> bool:
        """Take all of a message's bytes; each BDAT is expected to be the LAST."""
        assert self._owed is not None
        if self._buffer and self._is_held("body"):
            return False
        if len(self._buffer) < self._owed:
            return False
        content = bytes(memoryview(self._buffer)[: self._owed])
        del self._buffer[: self._owed]
        self._owed = None
        if self._recipients:
            self._judge(content)
        else:
            self._transport.write(b"554 5.5.1 no valid recipients\r\n")
        return True

    def _judge(self, content: bytes) -> None:
        if self._is_held("dot"):
            return
        answer = self._keeper.take(self._sender or b"", self._recipients, content)
        if answer is None:
            self._waiting = True
            self.abort()
            return
        if self._is_held("taken"):
            return
        self._forget()
        if answer.after:
            self._waiting = True
            asyncio.get_running_loop().call_later(answer.after, self._confirm, answer.words)
        else:
            self._say(answer.words)

    def _say(self, words: bytes) -> None:
        self._transport.write(words)
        if words.startswith(b"421"):
            # RFC 5321 3.8: nothing that comes behind it is looked at. It is read, though: were
            # it left, the system would reset the connection, and the 421 be lost on its way.
            self._waiting = True
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER, self._transport.close)

    def _confirm(self, words: bytes) -> None:
        self._waiting = False
        self._say(words)
        self._proceed()

    def _is_held(self, moment: str) -> bool:
        """Read no further and answer no more, where the keeper says so."""
        if self._keeper.holds(moment):
            self._waiting = True
            self._transport.pause_reading()
        return self._waiting

    def _forget(self) -> None:
        self._sender = None
        self._recipients = []
