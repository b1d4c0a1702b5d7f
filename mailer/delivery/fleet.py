"""The connections to one relay, fed from one queue; each carries as many messages as it may.

Nothing passes the gate before `ready()` has seen the relay answer: a relay that is down or
refuses the login costs no copy an attempt.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial

from mailer.delivery.model import Intent, Message, Phase, Verdict
from mailer.delivery.smtp import Connection, Handed, Way
from mailer.settings import RelaySettings, SendingSettings
from subscribers.errors import PressrunError
from subscribers.reason import Reason

#: Idle connections are closed after so many seconds; relays drop them after a minute or so.
IDLE_SECONDS = 15.0
#: No connection carries messages for longer: addresses, certificates and routes change.
OLDEST_SECONDS = 600.0
#: Where a further connection was refused, no other is tried for so long.
REFUSED_SECONDS = 5.0
#: A relay that could not follow a fast way is spared it for so long.
SPARED_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Flight:
    """A message that has leave to fly, and whom to tell how it went."""

    intent: Intent
    message: Message
    landed: Callable[[Flight, Handed], None]


class Fleet:
    """Up to `relay.connections` connections, opened when there is work for them."""

    def __init__(
        self,
        relay: RelaySettings,
        timeouts: SendingSettings,
        *,
        local_hostname: str,
        most: Way = Way.CHUNKED,
    ) -> None:
        self._relay = relay
        self._timeouts = timeouts
        self._local_hostname = local_hostname
        self._flights: deque[Flight] = deque()
        self._closed = False
        self._connections: list[Connection] = []
        self._openings: set[asyncio.Task[None]] = set()
        self._closings: set[asyncio.Task[None]] = set()
        self._asking = asyncio.Lock()
        # The fastest way allowed at all, and now.
        self._most = self._way = most
        self._spared_until = self._refused_until = 0.0
        self._sweeper: asyncio.TimerHandle | None = None

    async def ready(self) -> None:
        """See that the relay takes us; raises RelayTrouble where it does not."""
        async with self._asking:
            if not any(connection.usable for connection in self._connections):
                try:
                    await self._start(self._openings, self._open())
                finally:
                    self._serve_waiting()

    def launch(self, flight: Flight) -> None:
        """Hand a message to the connection with the least to do, or to the next that has room."""
        if self._closed:
            flight.landed(flight, never_left("this process stopped before it was handed over"))
            return
        self._flights.append(flight)
        if len(self._flights) > 1:
            # Others wait for room already.
            self._open_more()
            return
        free = [connection for connection in self._connections if self._room(connection)]
        if free:
            self._feed(min(free, key=_in_flight))
            return
        for connection in [*self._connections]:
            if self._is_worn(connection) and not connection.in_flight:
                self._let_go(connection)
        self._open_more()

    async def close(self) -> None:
        """Close all connections; whatever still flies or waits lands as far as one can tell."""
        self._closed = True
        for task in [*self._openings]:
            task.cancel()
        await asyncio.gather(*self._openings, *self._closings, return_exceptions=True)
        self._land_waiting("this process stopped before it was handed over")
        connections, self._connections = self._connections, []
        await asyncio.gather(*(connection.close() for connection in connections))
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # -- flying ----------------------------------------------------------------------------

    def _room(self, connection: Connection) -> int:
        room = connection.room
        return 0 if room and self._is_worn(connection) else room

    def _is_worn(self, connection: Connection) -> bool:
        return (
            connection.messages >= self._relay.messages_per_connection
            or connection.age >= OLDEST_SECONDS
        )

    def _feed(self, connection: Connection) -> None:
        while self._flights and self._room(connection):
            flight = self._flights.popleft()
            connection.carry(flight.message, partial(flight.landed, flight))

    def _changed(self, connection: Connection) -> None:
        """Feed a connection that may have room; let go of one that is worn, or over."""
        if connection not in self._connections:
            return
        if not connection.usable:
            if connection.odd:
                self._spare(connection.way)
            self._let_go(connection)
        elif self._is_worn(connection) and not connection.in_flight:
            self._let_go(connection)
        else:
            self._feed(connection)
            self._sweep_later()
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        if self._flights:
            self._open_more()

    def _spare(self, way: Way) -> None:
        """Fall back to the next simpler way, for a while."""
        if way is not Way.LOCKSTEP:
            self._way = way.simpler
            self._spared_until = _now() + SPARED_SECONDS

    # -- opening ---------------------------------------------------------------------------

    def _open_more(self) -> None:
        """Open another connection, where there are more messages than connections to come."""
        coming = len(self._openings)
        at_all = len(self._connections) + coming + len(self._closings)
        if at_all >= self._relay.connections or coming >= len(self._flights):
            return
        if self._connections and _now() < self._refused_until:
            return
        self._start(self._openings, self._open_one())

    async def _open_one(self) -> None:
        try:
            await self._open()
        except PressrunError as exc:
            self._refused_until = _now() + REFUSED_SECONDS
            if not self._connections and not self._openings:
                self._land_waiting(str(exc))

    async def _open(self) -> None:
        if _now() >= self._spared_until:
            self._way = self._most
        try:
            connection = await Connection.open(
                self._relay, self._timeouts, local_hostname=self._local_hostname, most=self._way
            )
        finally:
            self._is_done(self._openings)
        self._connections.append(connection)
        connection.on_change = self._changed
        self._changed(connection)

    def _land_waiting(self, words: str) -> None:
        while self._flights:
            flight = self._flights.popleft()
            flight.landed(flight, never_left(words))

    # -- closing ---------------------------------------------------------------------------

    def _let_go(self, connection: Connection) -> None:
        self._connections.remove(connection)
        connection.on_change = None
        self._start(self._closings, self._close_one(connection))

    async def _close_one(self, connection: Connection) -> None:
        try:
            await connection.close()
        finally:
            self._is_done(self._closings)
        self._serve_waiting()

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle since the last look."""
        self._sweeper = None
        for connection in [*self._connections]:
            if not connection.in_flight and connection.idle >= IDLE_SECONDS / 2:
                self._let_go(connection)
        if self._connections:
            self._sweep_later()

    def _start(
        self, tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    def _is_done(self, tasks: set[asyncio.Task[None]]) -> None:
        # At once: what is decided next counts the others.
        task = asyncio.current_task()
        assert task is not None
        tasks.discard(task)


def _in_flight(connection: Connection) -> int:
    return connection.in_flight


def _now() -> float:
    return asyncio.get_running_loop().time()


def never_left(words: str) -> Handed:
    return Handed(
        verdict=Verdict.DEFERRED,
        phase=Phase.CONNECT,
        text=words,
        reason=Reason.NETWORK,
        reusable=False,
    )
