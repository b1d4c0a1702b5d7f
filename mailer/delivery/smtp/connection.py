"""One connection to the relay; whatever happens on it, each of its messages has a verdict.

aiosmtplib connects, starts TLS and logs in (`connect`). From then on the wire is ours
(`protocol`), because what a lost connection means depends on whether the last byte of each
message had left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from mailer.delivery.dialects import SMTP, Dialect, dialect_of
from mailer.delivery.model import Message, Verdict
from mailer.delivery.smtp.commands import Capabilities
from mailer.delivery.smtp.connect import connect
from mailer.delivery.smtp.protocol import SmtpProtocol
from mailer.delivery.smtp.reply import Reply
from mailer.delivery.smtp.transaction import Step, Transaction, Way
from mailer.delivery.smtp.verdict import Handed, unsendable
from mailer.settings import RelaySettings, SendingSettings
from subscribers.reason import Reason

#: How long a server may take over its goodbye, in seconds.
QUIT_SECONDS = 2.0
#: How many messages may be under way at once, by way; a connection begins with one.
MOST_IN_FLIGHT = {Way.LOCKSTEP: 1, Way.PIPELINED: 2, Way.CHUNKED: 32}

#: Whose command waits for a reply (nobody's: QUIT), which, and where its group begins.
Awaited: TypeAlias = tuple[Transaction | None, Step, int]


class Connection:
    """A connection past its login.

    `on_change` is told whenever it may have room for another message, or has ended.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        capabilities: Capabilities,
        timeouts: SendingSettings,
        *,
        way: Way | None = None,
        dialect: Dialect = SMTP,
    ) -> None:
        self._timeouts = timeouts
        self._dialect = dialect
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        #: What the server offers to those who have logged in.
        self.capabilities = capabilities
        #: How messages are handed over: as fast as the server offers and the caller allows.
        self.way = way or Way.offered(capabilities)
        #: How many messages were begun on it, and how many of them the server took.
        self.messages = self.taken = 0
        #: Whether it ended because the server can't follow this way, as far as one can tell.
        self.odd = False
        self.on_change: Callable[[Connection], None] | None = None
        self._flying: deque[Transaction] = deque()
        # What is written and not answered, in order, across messages.
        self._awaited: deque[Awaited] = deque()
        self._goodbye: Reply | None = None
        # Whether a transaction may still be open: the next must begin with RSET.
        self._stale = False
        self._window = 1
        # When the oldest command began to wait.
        self._since = self._opened
        self._timer: asyncio.TimerHandle | None = None
        self._said_quit: asyncio.Future[None] | None = None
        self._protocol = SmtpProtocol(transport, heard=self._hear, ended=self._end)

    @classmethod
    async def open(
        cls,
        relay: RelaySettings,
        timeouts: SendingSettings,
        *,
        local_hostname: str,
        most: Way = Way.CHUNKED,
    ) -> Connection:
        """Connect, start TLS as the relay's policy says, log in; no faster way than `most`.

        Raises RelayUnreachable, RelayWithoutTls or RelayLoginRefused, each one line with
        host, port, what the server said and how to mend it; SettingsInvalid for a `ca_file`
        that can't be used.
        """
        transport, capabilities = await connect(relay, timeouts, local_hostname=local_hostname)
        way = min(most, Way.offered(capabilities), key=[*Way].index)
        return cls(transport, capabilities, timeouts, way=way, dialect=dialect_of(relay).dialect)

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return self._loop.time() - self._opened

    @property
    def idle(self) -> float:
        """Seconds since the server said anything, or was asked anything."""
        return self._loop.time() - self._since

    @property
    def usable(self) -> bool:
        """Whether it can take a message, as far as is known."""
        return self._protocol.trouble is None and self._said_quit is None

    @property
    def in_flight(self) -> int:
        """How many messages are under way."""
        return len(self._flying)

    @property
    def room(self) -> int:
        """How many more messages it may carry now."""
        free = self._window - len(self._flying)
        if free <= 0 or not self.usable:
            return 0
        if self.way is Way.PIPELINED:
            # One envelope, and its body, before the next.
            return int(not self._flying or self._flying[-1].end is not None)
        return free

    def carry(self, message: Message, landed: Callable[[Handed], None]) -> None:
        """Hand one message over; `landed` is called once, at once where it can't be begun.

        There must be room, or the connection be over. Each phase has its deadline (RFC 5321
        4.5.3.2).
        """
        if not self.usable:
            transaction = self._transaction(message, landed, ascii_only=True)
            landed(self._cut_off(transaction, Step.MAIL))
            return
        vouched_for = message.dot_free and not message.smtputf8
        ascii_only = vouched_for or message.content.isascii()
        refusal = unsendable(message, self.capabilities, ascii_only=ascii_only)
        if refusal is not None:
            landed(refusal)
            return
        self.messages += 1
        transaction = self._transaction(message, landed, ascii_only=ascii_only)
        self._flying.append(transaction)
        self._write_next(transaction)

    async def send(self, message: Message) -> Handed:
        """Hand one message over, and wait for what becomes of it.

        Raises nothing for what the server or the network does. Cancelling it drops the
        connection, and nobody can tell then whether the message left.
        """
        ended: asyncio.Future[Handed] = self._loop.create_future()

        def landed(handed: Handed) -> None:
            if not ended.done():
                ended.set_result(handed)

        self.carry(message, landed)
        try:
            return await ended
        except asyncio.CancelledError:
            self.abort("cancelled")
            raise

    async def close(self) -> None:
        """Say QUIT, wait a moment for the answer, and let go; what still flies is cut off."""
        if self._flying:
            self.abort("this process stopped")
        elif self.usable:
            self._said_quit = self._loop.create_future()
            self._write(None, [b"QUIT\r\n"], (Step.QUIT,))
            await asyncio.wait([self._said_quit], timeout=QUIT_SECONDS)
            self._protocol.close()
        try:
            async with asyncio.timeout(QUIT_SECONDS):
                await asyncio.shield(self._protocol.closed)
        except TimeoutError:
            self.abort("no goodbye")

    def abort(self, trouble: str) -> None:
        """Drop the connection; every message on it lands."""
        self._protocol.abort(trouble)

    def _transaction(
        self, message: Message, landed: Callable[[Handed], None], *, ascii_only: bool
    ) -> Transaction:
        return Transaction(
            message,
            landed,
            way=self.way,
            offered=self.capabilities,
            # Without it the MAIL behind a refused message is nested.
            reset=self._stale or bool(self._awaited),
            ascii_only=ascii_only,
            dialect=self._dialect,
        )

    def _write_next(self, transaction: Transaction) -> None:
        """Write a message's next group of commands, and wait for what they bring."""
        group = transaction.next_group()
        end = self._write(transaction, transaction.words(group), group)
        if group[-1] is Step.CONTENT:
            transaction.end = end

    def _write(
        self, transaction: Transaction | None, words: Sequence[bytes], group: Sequence[Step]
    ) -> int:
        if not self._awaited:
            self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._shortest, self._watch)
        start = self._protocol.accepted
        self._awaited.extend([(transaction, step, start) for step in group])
        return self._protocol.write(*words)

    def _hear(self, replies: Sequence[Reply]) -> None:
        """Give each reply to the oldest command that has none."""
        self._since = self._loop.time()
        for reply in replies:
            if self._awaited and self._protocol.begun(self._awaited[0][2]):
                transaction, step, _ = self._awaited.popleft()
                self._hear_one(transaction, step, reply)
            else:
                self._hear_unasked(reply)
            if self._protocol.trouble is not None:
                return
        self._changed()

    def _hear_unasked(self, reply: Reply) -> None:
        if reply.code == 421:
            self._goodbye = reply
        else:
            self.odd = True
        self.abort(f"the server said {reply.code} unasked: {reply.text[:200]}")

    def _hear_one(self, transaction: Transaction | None, step: Step, reply: Reply) -> None:
        if transaction is None:
            if self._said_quit is not None and not self._said_quit.done():
                self._said_quit.set_result(None)
            return
        if not transaction.goes_on(step, reply):
            handed = transaction.hear(step, reply, left=self._left(transaction))
            if handed is not None:
                self._land(transaction, reply, handed)
                return
        if not self._awaited or self._awaited[0][0] is not transaction:
            self._write_next(transaction)

    def _land(self, transaction: Transaction, reply: Reply, handed: Handed) -> None:
        self._flying.remove(transaction)
        self._heed(handed)
        transaction.landed(handed)
        if reply.code == 421:
            self._goodbye = reply
        if not handed.reusable:
            self.abort(handed.text)

    def _heed(self, handed: Handed) -> None:
        """Let more fly at once where all goes well, one where it does not."""
        self._stale = handed.verdict is not Verdict.SENT
        if handed.verdict is Verdict.SENT:
            self.taken += 1
            self._window += self._window < MOST_IN_FLIGHT[self.way]
        elif handed.verdict is not Verdict.FAILED:
            self._window = 1
        if handed.reason is Reason.PROTOCOL and not handed.reusable:
            self.odd = True

    def _left(self, transaction: Transaction) -> bool:
        return transaction.end is not None and self._protocol.left(transaction.end)

    def _end(self) -> None:
        """Land all that is still under way, each by the next reply it waited for."""
        if self._timer is not None:
            self._timer.cancel()
        flying, awaited = [*self._flying], [*self._awaited]
        self._flying.clear()
        self._awaited.clear()
        # A server that never took a message this way may not be able to.
        self.odd = self.odd or (bool(flying) and not self.taken and self._goodbye is None)
        for transaction in flying:
            step = next((s for t, s, _ in awaited if t is transaction), Step.CONTENT)
            transaction.landed(self._cut_off(transaction, step))
        if self._said_quit is not None and not self._said_quit.done():
            self._said_quit.set_result(None)
        self._changed()

    def _cut_off(self, transaction: Transaction, step: Step) -> Handed:
        return transaction.cut_off(
            step,
            self._protocol.trouble or "",
            goodbye=self._goodbye,
            left=self._left(transaction),
        )

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change(self)

    # -- deadlines -------------------------------------------------------------------------

    @property
    def _shortest(self) -> float:
        return min(self._timeouts.command_timeout, self._timeouts.reply_timeout)

    def _watch(self) -> None:
        """Drop the connection when the oldest command is overdue; else look again in time.

        One timer for all: it runs at least as often as the shortest deadline.
        """
        self._timer = None
        if not self._awaited or self._protocol.trouble is not None:
            return
        seconds, trouble = self._patience()
        due, now = self._since + seconds, self._loop.time()
        if now >= due - 0.001:
            self.abort(trouble)
        else:
            self._timer = self._loop.call_at(min(due, now + self._shortest), self._watch)

    def _patience(self) -> tuple[float, str]:
        """How long the oldest command may wait for its reply, and what to say where it is over."""
        transaction, step, _ = self._awaited[0]
        command, whole = self._timeouts.command_timeout, self._timeouts.reply_timeout
        if step is not Step.CONTENT or transaction is None:
            return command, f"no reply within {command:g} s"
        if self._left(transaction):
            return whole, f"no reply to the message within {whole:g} s"
        return self._shortest, f"the server did not read the body within {self._shortest:g} s"
