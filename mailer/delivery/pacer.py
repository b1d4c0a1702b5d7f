"""A worker's own side of pacing: it asks for slots only where there is a limit or was trouble."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from mailer.delivery import grants
from mailer.delivery.grants import WHOLE
from mailer.delivery.pace import Grant
from subscribers.database import Database

T = TypeVar("T", covariant=True)

#: How long the list of limited lanes is believed, in seconds.
BELIEVED = 2.0
#: A lane's own speed is measured over so many seconds.
MEASURED = 10.0
#: A lane that has seen next to nothing is taken to go at so many messages a second.
LEAST = 2.0


class RunInThread(Protocol):
    """Runs a function in a thread that may talk to the database."""

    def __call__(self, function: Callable[[], T]) -> Awaitable[T]: ...


@dataclass(frozen=True, kw_only=True)
class Leave:
    """What a worker may do in a lane: slots, and how many copies may be under way at once."""

    grant: Grant
    connections: int | None = None


class Pacer:
    """Asks for slots, measures speeds, and reports trouble."""

    def __init__(self, *, database: Database, run: RunInThread, worker: str) -> None:
        self._database = database
        self._run = run
        self._worker = worker
        self._limited: frozenset[tuple[str, str]] = frozenset()
        self._asked_at = float("-inf")
        self._flown: defaultdict[tuple[str, str], deque[float]] = defaultdict(
            lambda: deque(maxlen=4096)
        )

    async def ask(self, relay: str, lane: str, *, wanted: int) -> Leave:
        """Slots for up to `wanted` messages; a grant of none says when to ask again."""
        now = datetime.now(UTC)
        if time.monotonic() - self._asked_at > BELIEVED:
            self._limited = await self._run(self._read_limited)
            self._asked_at = time.monotonic()
        if not {(relay, lane), (relay, WHOLE)} & self._limited:
            return Leave(grant=Grant(messages=wanted, start=now, interval=timedelta(0)))

        def take() -> Leave:
            with self._database.write() as session:
                grant, connections = grants.take(
                    session, relay, lane, worker=self._worker, wanted=wanted, now=now
                )
                return Leave(grant=grant, connections=connections)

        return await self._run(take)

    def flew(self, relay: str, lane: str) -> None:
        """A copy has left for this lane."""
        self._flown[relay, lane].append(time.monotonic())

    async def trouble(self, relay: str, lane: str) -> float:
        """The lane said: slower. Gives its new speed in messages a second, for all workers."""
        measured = max(self._speed(relay, lane), LEAST)

        def slow() -> float:
            with self._database.write() as session:
                return grants.slow(session, relay, lane, measured=measured, now=datetime.now(UTC))

        rate = await self._run(slow)
        self._limited |= {(relay, lane)}
        return rate

    def _speed(self, relay: str, lane: str) -> float:
        since = time.monotonic() - MEASURED
        flown = self._flown[relay, lane]
        recent = sum(1 for at in flown if at > since)
        return recent / MEASURED

    def _read_limited(self) -> frozenset[tuple[str, str]]:
        with self._database.read() as session:
            return grants.limited(session)
