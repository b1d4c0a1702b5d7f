"""A worker's own side of pacing: it asks for slots only where there is a limit or was trouble."""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

from mailer.delivery import grants
from mailer.delivery.grants import WHOLE
from mailer.delivery.pace import Grant
from subscribers.database import Database

log = logging.getLogger(__name__)

T = TypeVar("T", covariant=True)

#: How long the list of limited lanes is believed, in seconds.
BELIEVED = 2.0
#: Trouble behind a relay that nobody heeded for so long is over: nothing was sent there.
HEEDED = timedelta(minutes=1)
#: A lane's own speed is measured over so many seconds; over fewer where it has only begun, but
#: not over less than one.
MEASURED = 10.0
#: A lane that has seen next to nothing is taken to go at so many messages a second.
LEAST = 10.0


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
            self._limited, reported = await self._run(self._read)
            self._asked_at = time.monotonic()
            await self._heed(reported)
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
        """The lane said: slower; or, with WHOLE, the relay.

        Gives the new speed in messages a second, for all workers.
        """
        measured = max(self._speed(relay, lane), LEAST)

        def slow() -> float:
            with self._database.write() as session:
                return grants.slow(session, relay, lane, measured=measured, now=datetime.now(UTC))

        rate = await self._run(slow)
        self._limited |= {(relay, lane)}
        return rate

    def _speed(self, relay: str, lane: str) -> float:
        now = time.monotonic()
        lanes = [place for place in self._flown if place[0] == relay and lane in (WHOLE, place[1])]
        recent = [at for place in lanes for at in self._flown[place] if at > now - MEASURED]
        return len(recent) / max(1.0, now - min(recent)) if recent else 0.0

    async def _heed(self, reported: Iterable[tuple[str, str]]) -> None:
        """Slow down where somebody behind a relay said so, by the speed that this worker had."""
        for relay, lane in reported:
            measured = self._speed(relay, lane)
            if measured:
                await self._run(partial(self._slow_reported, relay, lane, measured))

    def _slow_reported(self, relay: str, lane: str, measured: float) -> None:
        now = datetime.now(UTC)
        with self._database.write() as session:
            if grants.take_report(session, relay, lane):
                rate = grants.slow(session, relay, lane, measured=max(measured, LEAST), now=now)
                log.warning(
                    "lane %s of relay %s slows down to %.2f/s, by report", lane, relay, rate
                )

    def _read(self) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
        with self._database.read() as session:
            since = datetime.now(UTC) - HEEDED
            return grants.limited(session), grants.reported(session, since=since)
