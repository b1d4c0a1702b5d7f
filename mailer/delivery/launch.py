"""From people to flights: compose -> pace -> gate -> fly, a batch at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailer.delivery import gate
from mailer.delivery.compose import Composer
from mailer.delivery.fleet import Fleet, Flight, never_left
from mailer.delivery.grants import WHOLE
from mailer.delivery.model import Claim, Intent, Message, Outcome, SkipReason, Verdict
from mailer.delivery.pace import LATENESS, Grant
from mailer.delivery.pacer import Pacer
from mailer.delivery.queries import Waiting
from mailer.delivery.recorder import Recorder, Taken
from mailer.delivery.retry import RetryPolicy, Treatment, is_put_off, treatment
from mailer.delivery.smtp import Handed
from mailer.delivery.threads import LedgerThreads
from mailer.settings import SendingSettings
from subscribers.database import Database
from subscribers.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnavailable,
    PressrunError,
)

log = logging.getLogger(__name__)

#: A slot further away than this is waited for by the chunk, in its row, not by the worker.
PATIENCE = timedelta(seconds=2)
#: So many copies put off one after the other slow their lane, whatever the words.
STORM = 10


@dataclass
class Slice:
    """One chunk in work, until its time is over; `not_before`: when it has leave to go on."""

    claim: Claim
    relay: str
    fleet: Fleet
    composer: Composer
    until: float
    not_before: datetime
    policy: RetryPolicy
    flying: int = 0
    stop: bool = False

    @property
    def place(self) -> tuple[str, str]:
        """The relay and the lane that it goes by."""
        return self.relay, self.claim.lane

    @property
    def over(self) -> bool:
        """Whether nothing more may be let fly."""
        return self.stop or time.monotonic() >= self.until


@dataclass(frozen=True, kw_only=True)
class Batch:
    """People whose messages are made; `first_at` is when each was first tried, if ever."""

    messages: dict[int, Message]
    first_at: dict[int, datetime | None]


@dataclass
class Launcher:
    """Lets copies fly, as fast as their lane may and never more than may be lost at once."""

    database: Database
    threads: LedgerThreads
    sending: SendingSettings
    recorder: Recorder
    pacer: Pacer
    worker: str
    composing: ThreadPoolExecutor
    _flying: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    _put_off: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    _slowing: set[asyncio.Task[None]] = field(default_factory=set)

    async def send(self, piece: Slice, people: Sequence[Waiting]) -> None:
        """Send a page of people, or as many as the slice's time and the lane's speed allow."""
        size = self._most_alone
        coming = asyncio.create_task(self._compose(piece, people[:size]))
        try:
            for start in range(size, len(people) + size, size):
                batch = await coming
                if piece.over:
                    return
                if start < len(people):
                    # Signing leaves the interpreter: the next are made while these fly.
                    following = self._compose(piece, people[start : start + size])
                    coming = asyncio.create_task(following)
                await self._send_batch(piece, batch)
        finally:
            await _forget(coming)

    async def _compose(self, piece: Slice, people: Sequence[Waiting]) -> Batch:
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self.composing, _compose, piece.composer, people)
        left_out = {i: reason for i, reason in made.items() if isinstance(reason, SkipReason)}
        if left_out:
            await self.threads.run(self._skip, left_out)
        return Batch(
            messages={i: message for i, message in made.items() if isinstance(message, Message)},
            first_at={w.recipient.delivery_id: w.first_at for w in people},
        )

    async def _send_batch(self, piece: Slice, batch: Batch) -> None:
        waiting = [*batch.messages]
        while waiting and not piece.over:
            leave = await self.pacer.ask(piece.relay, piece.claim.lane, wanted=len(waiting))
            if not leave.grant.messages or leave.connections == 0:
                await self._wait_for_leave(piece, leave.grant)
                continue
            ours, waiting = waiting[: leave.grant.messages], waiting[leave.grant.messages :]
            await self._fly(piece, batch, ours, leave.grant, connections=leave.connections)

    async def _wait_for_leave(self, piece: Slice, grant: Grant) -> None:
        away = grant.start - datetime.now(UTC)
        if away > PATIENCE:
            piece.stop, piece.not_before = True, grant.start
        else:
            await asyncio.sleep(max(away.total_seconds(), 0.05))

    async def _fly(
        self,
        piece: Slice,
        batch: Batch,
        delivery_ids: list[int],
        grant: Grant,
        *,
        connections: int | None,
    ) -> None:
        """Pass the gate, then hand over each message at its slot."""
        await _sleep_until(grant.start)
        number = 0
        while number < len(delivery_ids):
            room = await self._room(piece, connections, wanted=len(delivery_ids) - number)
            if piece.over:
                return
            if not room:
                continue  # another slice was quicker
            passed = await self._pass_gate(piece, delivery_ids[number : number + room])
            flights = deque(self._flights(piece, batch, passed.intents))
            try:
                for place in range(number, number + len(flights)):
                    await self._keep_to(grant, place, piece.place)
                    piece.fleet.launch(flights.popleft())
            finally:
                # Whatever came between: what has passed the gate must land.
                for flight in flights:
                    flight.landed(flight, never_left("it was not handed over"))
            if passed.stop:
                piece.stop = True
                return
            number += room

    async def _room(self, piece: Slice, connections: int | None, *, wanted: int) -> int:
        """Wait until all may fly, or after a moment some; the fewer gates, the less they cost."""

        def room() -> int:
            in_lane = self._most(piece.place, connections) - self._flying[piece.place]
            return min(wanted, in_lane, self.recorder.room)

        def room_for_all() -> bool:
            return room() >= min(wanted, self._most(piece.place, connections))

        await self.recorder.until(lambda: piece.over or room() > 0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.sending.flush_seconds):
                await self.recorder.until(lambda: piece.over or room_for_all())
        return max(0, room())

    async def _pass_gate(self, piece: Slice, delivery_ids: list[int]) -> gate.Passed:
        """Have the intents of these copies in the ledger before any of their bytes leaves."""
        # Reserved before the gate: another slice of this lane asks in the meantime.
        self.recorder.reserve(len(delivery_ids))
        self._flying[piece.place] += len(delivery_ids)
        flown = 0
        try:
            passed = await self._ask_gate(piece, delivery_ids)
            flown = len(passed.intents)
        finally:
            self._flying[piece.place] -= len(delivery_ids) - flown
            self.recorder.give_back(len(delivery_ids) - flown)
        piece.flying += flown
        return passed

    @property
    def _most_alone(self) -> int:
        return max(1, self.sending.max_open_intents * 3 // 4)

    def _most(self, place: tuple[str, str], connections: int | None) -> int:
        """How many copies of a lane may be under way, whatever its servers do: half of what may
        be open at all, or, while no other lane is at work, three quarters."""
        alone = not any(flying for other, flying in self._flying.items() if other != place)
        most = self._most_alone if alone else max(1, self.sending.max_open_intents // 2)
        return most if connections is None else min(most, connections)

    async def _keep_to(self, grant: Grant, number: int, place: tuple[str, str]) -> None:
        """Wait for a slot; one missed by too much is spent, and another is asked for."""
        if not grant.interval:
            return
        slot = grant.start + number * grant.interval
        while datetime.now(UTC) > slot + LATENESS:
            leave = await self.pacer.ask(*place, wanted=1)
            slot = leave.grant.start
            if not leave.grant.messages:
                await _sleep_until(slot)
        await _sleep_until(slot)

    def _flights(self, piece: Slice, batch: Batch, intents: Sequence[Intent]) -> Iterator[Flight]:
        def durable() -> None:
            piece.flying -= 1

        def landed(flight: Flight, handed: Handed) -> None:
            outcome = _outcome(flight, handed)
            self._flying[piece.place] -= 1
            self._heed(piece.place, outcome, limit=handed.limit)
            self.recorder.add(
                outcome,
                claim=piece.claim,
                first_at=batch.first_at[outcome.delivery_id] or outcome.at,
                policy=piece.policy,
                durable=durable,
            )

        for intent in intents:
            message = batch.messages[intent.delivery_id]
            yield Flight(intent=intent, message=message, landed=landed)

    def _heed(self, place: tuple[str, str], outcome: Outcome, *, limit: bool) -> None:
        """Measure the lane, and slow it down where its provider has enough of us.

        Where the relay itself has, at its `limit`, all of its lanes slow down together.
        """
        if limit:
            self._slow_down(place[0], WHOLE)
            return
        if outcome.verdict is Verdict.SENT:
            self.pacer.flew(*place)
            self._put_off[place] = 0
            return
        self._put_off[place] += is_put_off(outcome)
        if treatment(outcome) is Treatment.SLOW_LANE or self._put_off[place] >= STORM:
            self._put_off[place] = 0
            self._slow_down(*place)

    def _slow_down(self, relay: str, lane: str) -> None:
        if self._slowing:
            return  # a storm of refusals says one thing

        async def slow_down() -> None:
            try:
                rate = await self.pacer.trouble(relay, lane)
                what = f"lane {lane}" if lane else "every lane"
                log.warning("%s of relay %s slows down to %.2f/s", what, relay, rate)
            except (DatabaseUnavailable, DatabaseBusy, DatabaseFull) as exc:
                log.warning("lane %s can't be slowed down: %s", lane, exc)

        task = asyncio.create_task(slow_down())
        self._slowing.add(task)
        task.add_done_callback(self._slowing.discard)

    async def _ask_gate(self, piece: Slice, delivery_ids: list[int]) -> gate.Passed:
        """Ask until there is an answer: an answer lost on the way may have been yes."""
        asked_before = False
        while True:
            try:
                return await self._ask_once(piece, delivery_ids, asked_before)
            except (DatabaseUnavailable, DatabaseBusy) as exc:
                log.warning("the gate does not answer: %s", exc)
                asked_before = True
            except DatabaseFull:
                # The one question can't be put; but if it was before, the answer may be yes.
                if not asked_before:
                    raise
            await asyncio.sleep(self.sending.poll_seconds)

    async def _ask_once(
        self, piece: Slice, delivery_ids: list[int], asked_before: bool
    ) -> gate.Passed:
        # Leave may rest on outcomes which that transaction was to write, and which another has
        # taken since: until it has them there is no room.
        await self.recorder.until(lambda: self.recorder.room >= 0)
        # Outcomes that wait go into the same transaction: a commit costs as much as a batch.
        taken = self.recorder.take()
        try:
            passed = await self.threads.run(self._gate, piece, delivery_ids, asked_before, taken)
        except BaseException:
            self.recorder.put_back(taken)
            raise
        self.recorder.done(taken)
        return passed

    # -- in the ledger's threads -----------------------------------------------------------

    def _gate(
        self, piece: Slice, delivery_ids: list[int], asked_before: bool, taken: Taken
    ) -> gate.Passed:
        with self.database.write() as session:
            self.recorder.write(session, taken)
            return gate.pass_gate(
                session,
                piece.claim,
                delivery_ids,
                worker=self.worker,
                relay=piece.relay,
                now=datetime.now(UTC),
                late_after=timedelta(seconds=self.sending.late_after),
                asked_before=asked_before,
            )

    def _skip(self, left_out: dict[int, SkipReason]) -> None:
        with self.database.write() as session:
            for delivery_id, reason in left_out.items():
                gate.skip(session, delivery_id, reason=reason, now=datetime.now(UTC))


def _compose(composer: Composer, people: Sequence[Waiting]) -> dict[int, Message | SkipReason]:
    """The messages of a batch by delivery; a reason to leave it out where one can't be made."""
    made: dict[int, Message | SkipReason] = {}
    date = datetime.now(UTC)
    for waiting in people:
        recipient = waiting.recipient
        if not recipient.address:
            made[recipient.delivery_id] = SkipReason.ERASED
            continue
        try:
            made[recipient.delivery_id] = composer.compose(recipient, date=date)
        except PressrunError as exc:
            log.warning(
                "delivery %s can't be made: %s",
                recipient.delivery_id,
                exc,
                extra={"delivery": recipient.delivery_id},
            )
            made[recipient.delivery_id] = SkipReason.UNMAILABLE
    return made


def _outcome(flight: Flight, handed: Handed) -> Outcome:
    return Outcome(
        delivery_id=flight.intent.delivery_id,
        attempt=flight.intent.attempt,
        verdict=handed.verdict,
        phase=handed.phase,
        at=datetime.now(UTC),
        code=handed.code,
        enhanced=handed.enhanced,
        reason=handed.reason,
        reply="" if handed.verdict is Verdict.SENT else handed.text[:500],
        provider_id=handed.provider_id,
    )


async def _forget(task: asyncio.Task[Batch]) -> None:
    """Wait for messages that nobody wants any more; what ails them is found again."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


async def _sleep_until(moment: datetime) -> None:
    seconds = (moment - datetime.now(UTC)).total_seconds()
    if seconds > 0:
        await asyncio.sleep(seconds)
