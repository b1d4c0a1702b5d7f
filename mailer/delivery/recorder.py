"""Outcomes become durable in batches, and free the room that their intents took."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.orm import Session

from mailer.delivery import ledger, refusals
from mailer.delivery.fuse import queries as fuse_queries
from mailer.delivery.model import Claim, Outcome
from mailer.delivery.refusals import Suspicion
from mailer.delivery.retry import Decision, RetryPolicy, decide
from mailer.settings import SendingSettings
from subscribers.database import Database
from subscribers.errors import DatabaseBusy, DatabaseFull, DatabaseUnavailable

log = logging.getLogger(__name__)


class RunInThread(Protocol):
    """Runs a function in a thread that may talk to the database."""

    def __call__(self, function: Callable[..., None], *args: object) -> Awaitable[None]: ...


@dataclass(frozen=True, kw_only=True)
class Pending:
    """An outcome on its way into the ledger, and whom to tell when it stands there."""

    claim: Claim
    decision: Decision
    durable: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Outcomes that somebody is writing, and campaigns that the relay blocks, by id."""

    pending: tuple[Pending, ...]
    blocked: Mapping[int, Outcome]


class Recorder:
    """Writes outcomes by count and by time; never loses one while the process lives."""

    def __init__(
        self, *, database: Database, run: RunInThread, sending: SendingSettings, worker: str
    ) -> None:
        self._database = database
        self._run_in_thread = run
        self._sending = sending
        self._worker = worker
        # Intents that have no durable outcome, and leave that was given for more.
        self._open = 0
        self._pending: list[Pending] = []
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._suspicion = Suspicion()
        self._blocked: dict[int, Outcome] = {}
        self._arrived = asyncio.Event()

    @property
    def room(self) -> int:
        """How many intents may be appended by a transaction that writes all that has come in.

        When it is committed, no more than `max_open_intents` are without a durable outcome:
        that bounds what is lost.
        """
        return self._sending.max_open_intents - self._open + len(self._pending)

    def reserve(self, intents: int) -> None:
        """Take leave for so many intents, of the room that there is."""
        self._open += intents

    def give_back(self, intents: int) -> None:
        """Leave that was not used."""
        self._open -= intents
        self._changed()

    def add(
        self,
        outcome: Outcome,
        *,
        claim: Claim,
        first_at: datetime,
        policy: RetryPolicy,
        durable: Callable[[], None],
    ) -> None:
        """Take an outcome in; `durable` is called once it stands in the database."""
        if self._suspicion.weigh(claim.campaign_id, outcome):
            self._blocked[claim.campaign_id] = outcome
        decision = decide(outcome, first_at=first_at, policy=policy)
        self._pending.append(Pending(claim=claim, decision=decision, durable=durable))
        self._arrived.set()
        self._changed()

    async def run(self) -> None:
        """Write what comes in and what no gate takes along, until cancelled."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(self._sending.flush_seconds)
            if self._waiters:
                # Whoever waits for room to let more fly takes them along.
                await asyncio.sleep(self._sending.flush_seconds)
            await self.flush()

    def take(self) -> Taken:
        """All that has come in, to be written by whoever took it: with `write`, then `done`, or
        `put_back` where that failed."""
        taken = Taken(pending=tuple(self._pending), blocked=dict(self._blocked))
        self._pending.clear()
        self._blocked.clear()
        self._arrived.clear()
        return taken

    def put_back(self, taken: Taken) -> None:
        """What was taken could not be written; writing it twice does no harm."""
        self._pending[:0] = taken.pending
        self._blocked = {**taken.blocked, **self._blocked}
        if taken.pending:
            self._arrived.set()

    def write(self, session: Session, taken: Taken) -> None:
        """Append the outcomes and do what follows from them, in the caller's transaction."""
        if not taken.pending:
            return
        now = datetime.now(UTC)
        decisions = [pending.decision for pending in taken.pending]
        ledger.record_outcomes(session, decisions, now=now)
        refusals.report(session, [d.outcome for d in decisions], now=now)
        told = [(pending.claim, pending.decision.outcome) for pending in taken.pending]
        fuse_queries.add(session, self._worker, told)
        for campaign_id, outcome in taken.blocked.items():
            refusals.pause(session, campaign_id, outcome, now=now)

    def done(self, taken: Taken) -> None:
        """What was taken is durable: say so, and free its room."""
        for pending in taken.pending:
            pending.durable()
        self.give_back(len(taken.pending))

    async def flush(self) -> None:
        """Write all that has come in, trying until the database takes it."""
        taken = self.take()
        if not taken.pending:
            return
        try:
            await self._write(taken)
        except BaseException:
            self.put_back(taken)
            raise
        self.done(taken)

    async def until(self, landed: Callable[[], bool]) -> None:
        """Wait until this holds; it is asked again whenever a copy has landed, or its outcome
        has become durable."""
        while not landed():
            waiter = (landed, asyncio.get_running_loop().create_future())
            self._waiters.append(waiter)
            try:
                await waiter[1]
            finally:
                self._waiters.remove(waiter)

    def _changed(self) -> None:
        for holds, future in self._waiters:
            if not future.done() and holds():
                future.set_result(None)

    async def _write(self, taken: Taken) -> None:
        def write() -> None:
            with self._database.write() as session:
                self.write(session, taken)

        while True:
            try:
                await self._run_in_thread(write)
            except (DatabaseUnavailable, DatabaseFull, DatabaseBusy) as exc:
                # Nothing more can pass the gate meanwhile: the room is taken.
                log.warning("%d outcomes wait to be recorded: %s", len(taken.pending), exc)
                await asyncio.sleep(self._sending.poll_seconds)
            else:
                return
