"""The wire: what is written and whether it has left, and the replies that come in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from mailer.delivery.smtp.reply import Reply, ReplyParser

#: Written in one turn of the loop at most: of what is written together only the end can be seen
#: to wait here.
PIECE = 131_072
#: The same with TLS, which hands all it has to the transport below, where nobody sees it wait:
#: `left` would be true too early.
PIECE_IN_TLS = 65_536


class SmtpProtocol(asyncio.Protocol):
    """The client's end of a connection that is past its greeting, TLS and login.

    `heard` gets the replies as they come, `ended` is told once that none will come any more:
    `trouble` then says why. What is written in one turn of the loop goes out together.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        heard: Callable[[Sequence[Reply]], None],
        ended: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        secret = transport.get_extra_info("sslcontext") is not None
        # Most messages go in one piece: two cost a turn of the loop and a call of the system more.
        self._piece = PIECE_IN_TLS if secret else PIECE
        self._heard, self._ended = heard, ended
        self._parser = ReplyParser()
        self._unwritten: deque[bytes | memoryview] = deque()
        self._accepted = self._given = 0
        self._paused = self._flushing = False
        #: Why nothing more will come; None while all is well.
        self.trouble: str | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        # Told at one byte, so that `left` is false as long as the end of a write is still here.
        # Zero would not do: asyncio's TLS compares with >= and would pause when all has left.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)
        if transport.is_closing():
            self.trouble = "connection lost"

    def write(self, *parts: bytes) -> int:
        """Write these parts behind all others; gives where they end, for `left`."""
        self._unwritten.extend(parts)
        self._accepted += sum(map(len, parts))
        self._flush_soon()
        return self._accepted

    @property
    def accepted(self) -> int:
        """Where the next write begins, for `begun`."""
        return self._accepted

    def begun(self, start: int) -> bool:
        """Whether any of what begins at `start` may have left this process."""
        return start < self._given

    def left(self, end: int) -> bool:
        """Whether what was written up to `end` may have left this process.

        False is certain. Stays as it was when the connection ended: an abort throws away what
        had not left.
        """
        return end < self._given or (end == self._given and not self._paused)

    def _flush_soon(self) -> None:
        if self._unwritten and not self._flushing and not self._paused:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Give the transport the next piece, and come back for the others.

        One a turn of the loop: uvloop tells only at the end of a turn that it must wait.
        """
        self._flushing = False
        if self._paused or self.trouble is not None:
            return
        self._transport.writelines(self._next_piece())
        self._flush_soon()

    def _next_piece(self) -> list[bytes | memoryview]:
        taken: list[bytes | memoryview] = []
        room = self._piece
        while self._unwritten and room:
            part = self._unwritten.popleft()
            if len(part) > room:
                view = memoryview(part)
                part = view[:room]
                self._unwritten.appendleft(view[room:])
            taken.append(part)
            room -= len(part)
        self._given += self._piece - room
        return taken

    def abort(self, trouble: str) -> None:
        """Drop the connection and all that is still to be written; the first reason stays."""
        self._transport.abort()
        if self.trouble is None:
            self.trouble = trouble
            self._unwritten.clear()
            self._ended()

    def close(self) -> None:
        """Let go of a connection that has said QUIT."""
        if self.trouble is None:
            self.trouble = "connection closed"
            self._ended()
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass replies on; drop the connection at what is none."""
        if self.trouble is not None:
            return
        replies, garbage = [], None
        try:
            for reply in self._parser.feed(data):
                replies.append(reply)  # what came before garbage counts
        except ValueError as exc:
            garbage = f"the server sent garbage: {exc}"
        if replies:
            self._heard(replies)
        if garbage is not None:
            self.abort(garbage)

    def eof_received(self) -> bool:
        """Treat a half-closed connection as lost: a mere close would still flush the body."""
        self.abort("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone who waits."""
        self.abort(f"connection lost: {exc}" if exc else "connection lost")
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Part of what was written waits in this process."""
        if self.trouble is None:
            self._paused = True

    def resume_writing(self) -> None:
        """All that was written has gone to the system."""
        if self.trouble is None:
            self._paused = False
            self._flush_soon()
