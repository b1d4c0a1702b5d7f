"""A sink in a thread of the test: it keeps what it took, and is told how to treat whom.

It offers PIPELINING and CHUNKING, so that what befalls one message befalls its window.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from tests.services.sink_session import EXTENSIONS, Answer, Session

#: Cut the connection at the final dot, before or after the message is kept.
LOST, TAKEN_AND_LOST = "lost", "taken and lost"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One message that was taken; `at` is Unix seconds."""

    sender: str
    recipient: str
    content: bytes
    at: float


class ThreadSink:
    """Listens on a free port of loopback between `start` and `stop`.

    Every dialogue that comes to the moment `hangs_at` is left there for ever (`Keeper.holds`).
    """

    def __init__(self, *, extensions: Sequence[str] = EXTENSIONS, hangs_at: str = "") -> None:
        self.extensions = extensions
        self._hangs_at = hangs_at
        self.kept: list[Kept] = []
        #: What was said to RCPT where it was told to, in order: the recipient and the reply.
        self.said: list[tuple[str, str]] = []
        self._told: defaultdict[tuple[str, str], deque[str | Answer]] = defaultdict(deque)
        # Held here: nothing else holds one that reads no more.
        self._sessions: set[Session] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink")

    def start(self) -> None:
        """Listen; `port` tells where."""
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(
            self._loop.create_server(self._session, "127.0.0.1", 0), self._loop
        )
        self._server = listening.result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for session in self._sessions:
            session.abort()
        await asyncio.sleep(0)  # a turn of the loop: they hear of it

    def _session(self) -> Session:
        self._sessions.add(session := Session(self))
        return session

    def tell(self, moment: str, recipient: str, *ends: str | Answer) -> None:
        """Do so at RCPT or at the dot, the first time, the second and so on; then it is taken.

        A word is a reply, or at the dot LOST or TAKEN_AND_LOST; an Answer there takes it.
        """
        self._told[moment, recipient] = deque(ends)

    def clear(self) -> None:
        """Forget all that was, and take everything."""
        self.kept.clear()
        self.said.clear()
        self.forgive()

    def forgive(self) -> None:
        """Take everything from now on."""
        self._told.clear()

    def copies(self) -> Counter[str]:
        """How many copies each recipient got."""
        return Counter(one.recipient for one in [*self.kept])

    # -- the keeper of its sessions --------------------------------------------------------

    def judge(self, recipient: bytes) -> bytes:
        """The reply to RCPT."""
        name = recipient.decode()
        if not (replies := self._told["RCPT", name]):
            return b"250 2.1.5 ok\r\n"
        self.said.append((name, str(replies.popleft())))
        return f"{self.said[-1][1]}\r\n".encode()

    def take(self, sender: bytes, recipients: list[bytes], content: bytes) -> Answer | None:
        """Keep a message, as told for its first recipient."""
        first = recipients[0].decode()
        ends = self._told["dot", first]
        end = ends.popleft() if ends else Answer()
        if isinstance(end, Answer) or end == TAKEN_AND_LOST:
            self.kept += [
                Kept(sender=sender.decode(), recipient=r.decode(), content=content, at=time.time())
                for r in recipients
            ]
        if isinstance(end, Answer):
            return end
        lost = end in (LOST, TAKEN_AND_LOST)
        return None if lost else Answer(words=f"{end}\r\n".encode())

    def holds(self, moment: str) -> bool:
        """Whether it hangs there."""
        return moment == self._hangs_at
