"""The sender, one a process: claim -> compose -> pace -> gate -> fly -> record.

Chunks are offered by the queue or found by polling, and worked on in slices. What is about to
fly is bounded by `max_open_intents`: that many copies at most have an intent and no durable
outcome, so no more than that can become `unknown` when the process is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from mailer.campaign import queries as campaign_queries
from mailer.delivery import gate, queries
from mailer.delivery.composers import Composers
from mailer.delivery.late import queries as late
from mailer.delivery.launch import Launcher, Slice
from mailer.delivery.model import Claim
from mailer.delivery.pacer import Pacer
from mailer.delivery.queries import Waiting
from mailer.delivery.recorder import Recorder
from mailer.delivery.relays import Relays
from mailer.delivery.retry import RetryPolicy
from mailer.delivery.threads import LedgerThreads
from mailer.errors import RelayLoginRefused, RelayTrouble, RelayWithoutTls
from mailer.logs import about
from mailer.settings import Settings
from subscribers.database import Database
from subscribers.errors import DatabaseBusy, DatabaseFull, DatabaseUnavailable, PressrunError
from subscribers.token import Keyring

log = logging.getLogger(__name__)

#: Chunks worked on at once, and how many of them may be of one lane.
CHUNKS_AT_ONCE = 4
OF_ONE_LANE = CHUNKS_AT_ONCE // 2
#: People read from the database at once: some batches.
PAGE = 96

#: What a passing trouble with the database raises.
PASSING = (DatabaseUnavailable, DatabaseFull, DatabaseBusy)


class Sender:
    """Sends what is due until told to stop; everything that must last is in the database."""

    #: Why no relay took anything when last tried, for whoever waits for a test.
    trouble = ""

    def __init__(self, *, settings: Settings, database: Database, keyring: Keyring) -> None:
        self._sending = settings.sending
        self._database = database
        self.worker = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"
        self._threads = LedgerThreads(database)
        self._composing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compose")
        self._composers = Composers(settings=settings, database=database, keyring=keyring)
        self._relays = Relays(
            settings, self._sending, local_hostname=settings.inbound_domain or socket.getfqdn()
        )
        self._recorder = Recorder(
            database=database, run=self._threads.run, sending=self._sending, worker=self.worker
        )
        self._launcher = Launcher(
            database=database,
            threads=self._threads,
            sending=self._sending,
            recorder=self._recorder,
            pacer=Pacer(database=database, run=self._threads.run, worker=self.worker),
            worker=self.worker,
            composing=self._composing,
        )
        self._lanes: Counter[str] = Counter()
        self._offered: asyncio.Queue[int] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._asked_to_stop = False

    # -- from any thread -----------------------------------------------------------------

    def offer(self, chunk_id: int) -> None:
        """Say that a chunk may have work; nothing is lost if nobody listens."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._offered.put_nowait, chunk_id)

    def stop(self) -> None:
        """Finish what flies, let nothing more fly, then return from `run`, even one to come."""
        self._asked_to_stop = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)

    # -- in the loop ---------------------------------------------------------------------

    async def run(self) -> None:
        """Work on chunks as they come due, until `stop()`."""
        self._loop = asyncio.get_running_loop()
        if self._asked_to_stop:
            self._stopping.set()
        recording = asyncio.create_task(self._recorder.run())
        stopping = asyncio.create_task(self._stopping.wait())
        at_work: set[asyncio.Task[None]] = set()
        try:
            while not self._stopping.is_set():
                claim = await self._claim() if len(at_work) < CHUNKS_AT_ONCE else None
                if claim is not None:
                    at_work.add(asyncio.create_task(self._work(claim)))
                else:
                    await self._wait_for_change({stopping, recording}, at_work)
                at_work = _still(at_work)
                _still({recording})
        finally:
            self._stopping.set()
            await self._land(at_work)
            await self._close(recording)

    async def drain(self, campaign_id: int) -> None:
        """Send what is due of one campaign and return: tests, and small notices."""
        self._loop = asyncio.get_running_loop()
        recording = asyncio.create_task(self._recorder.run())
        try:
            while claim := await self._claim(campaign_id=campaign_id):
                await self._work(claim)
        finally:
            await self._close(recording)

    async def _close(self, recording: asyncio.Task[None]) -> None:
        recording.cancel()
        # Outcomes that it could not write are put back for the last flush.
        await asyncio.wait([recording])
        await self._relays.close()
        await self._recorder.flush()
        self._threads.close()
        self._composing.shutdown(wait=True, cancel_futures=True)

    async def _land(self, at_work: set[asyncio.Task[None]]) -> None:
        """Let what flies land; after the grace time the ledger will say `unknown`."""
        if at_work:
            _, late = await asyncio.wait(at_work, timeout=self._sending.grace_seconds)
            if late:
                # Cut off, each message lands, and the slices end by themselves.
                await self._relays.close()
                _, late = await asyncio.wait(late, timeout=self._sending.grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _wait_for_change(
        self, ends: set[asyncio.Task[Any]], at_work: set[asyncio.Task[None]]
    ) -> None:
        """Until a chunk is offered or done, it is time to look again, or to stop."""
        offered = asyncio.create_task(self._offered.get())
        busy = len(at_work) >= CHUNKS_AT_ONCE
        await asyncio.wait(
            {*ends, *at_work} if busy else {*ends, offered, *at_work},
            timeout=None if busy else self._sending.poll_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        offered.cancel()

    async def _claim(self, *, campaign_id: int | None = None) -> Claim | None:
        """The next chunk that is due: which one was offered matters little, the database knows."""
        full = [lane for lane, chunks in self._lanes.items() if chunks >= OF_ONE_LANE]

        def claim() -> Claim | None:
            with self._database.write() as session:
                return gate.claim(
                    session,
                    worker=self.worker,
                    now=_now(),
                    lease=timedelta(seconds=self._sending.lease_seconds),
                    late_after=self._late_after,
                    campaign_id=campaign_id,
                    not_lanes=full,
                )

        try:
            return await self._threads.run(claim)
        except PASSING as exc:
            log.warning("can't look for work: %s", exc)
            await asyncio.sleep(self._sending.poll_seconds)
            return None

    async def _work(self, claim: Claim) -> None:
        """Work on a claimed chunk for one slice, then let it go."""
        self._lanes[claim.lane] += 1
        try:
            with about(campaign=claim.campaign_id, chunk=claim.chunk_id):
                not_before = await self._work_until(claim, _now())
        except PASSING as exc:
            # Its lease runs out by itself.
            log.warning("chunk %s is left for later: %s", claim.chunk_id, exc)
        else:
            await self._release(claim, not_before)
        finally:
            self._lanes[claim.lane] -= 1

    async def _work_until(self, claim: Claim, now: datetime) -> datetime:
        """Work on a chunk; gives when it may be worked on again."""
        try:
            relay = await self._relays.ready(claim.relay)
            composer = await self._threads.run(self._composers.of, claim.campaign_id, relay)
        except RelayTrouble as exc:
            return await self._no_relay(claim, exc)
        except PASSING:
            raise
        except PressrunError as exc:
            await self._pause(claim.campaign_id, f"its content can't be made into mail: {exc}")
            return now
        piece = Slice(
            claim=claim,
            relay=relay,
            fleet=self._relays.fleet(relay),
            composer=composer,
            until=time.monotonic() + self._sending.slice_seconds,
            not_before=now,
            policy=self._policy(composer.newsletter.give_up_after),
        )
        holding = asyncio.create_task(self._hold(piece))
        try:
            await self._send_all(piece)
        finally:
            # Whatever happened: what flies must land before the chunk is let go.
            await self._recorder.until(lambda: not piece.flying)
            holding.cancel()
        return piece.not_before

    async def _send_all(self, piece: Slice) -> None:
        after = 0
        while not piece.over:
            page = await self._threads.run(self._page, piece.claim, after)
            if not page:
                return
            after = page[-1].recipient.delivery_id
            await self._launcher.send(piece, page)
            piece.stop = piece.stop or self._stopping.is_set()

    async def _hold(self, piece: Slice) -> None:
        """Keep the lease while anything flies; a lost claim, or the end of all, ends the slice."""
        every = self._sending.lease_seconds / 3
        while True:
            try:
                await asyncio.wait_for(self._stopping.wait(), every)
                piece.stop = True
                await asyncio.sleep(every)
            except TimeoutError:
                pass
            try:
                if not await self._threads.run(self._extend, piece.claim):
                    piece.stop = True
                    return
            except PASSING as exc:
                log.warning("can't hold chunk %s: %s", piece.claim.chunk_id, exc)

    async def _no_relay(self, claim: Claim, exc: RelayTrouble) -> datetime:
        """No copy pays for a relay that is down; what a person must mend pauses the campaign."""
        if isinstance(exc, (RelayLoginRefused, RelayWithoutTls)):
            await self._pause(claim.campaign_id, str(exc), for_relay=True)
        else:
            log.warning("chunk %s waits: %s", claim.chunk_id, exc)
        self.trouble = str(exc)
        return _now() + timedelta(seconds=self._sending.retry_first)

    async def _pause(self, campaign_id: int, reason: str, *, for_relay: bool = False) -> None:
        hold = campaign_queries.pause_for_relay if for_relay else campaign_queries.pause

        def pause() -> None:
            with self._database.write() as session:
                if hold(session, campaign_id, reason=reason, now=_now()):
                    log.error("campaign %s is paused: %s", campaign_id, reason)

        await self._patiently(pause)

    async def _release(self, claim: Claim, not_before: datetime) -> None:
        def release() -> None:
            with self._database.write() as session:
                now = _now()
                gate.release(session, claim, now=now, not_before=not_before)
                late.keep_alive(session, now=now, late_after=self._late_after)

        await self._patiently(release)

    async def _patiently(self, change: Callable[[], None]) -> None:
        """Try a small change a few times; the lease and the clock mend what is not done."""
        for _ in range(5):
            try:
                return await self._threads.run(change)
            except PASSING as exc:
                log.warning("the database does not take a change: %s", exc)
                await asyncio.sleep(self._sending.poll_seconds)
        return None

    # -- in the ledger's threads -----------------------------------------------------------

    @property
    def _late_after(self) -> timedelta:
        return timedelta(seconds=self._sending.late_after)

    def _policy(self, give_up_after: timedelta) -> RetryPolicy:
        return RetryPolicy(
            first=timedelta(seconds=self._sending.retry_first),
            most=timedelta(seconds=self._sending.retry_most),
            give_up_after=give_up_after,
            slow=timedelta(seconds=self._sending.retry_slow),
        )

    def _page(self, claim: Claim, after: int) -> list[Waiting]:
        with self._database.read() as session:
            return queries.waiting(session, claim, after=after, now=_now(), limit=PAGE)

    def _extend(self, claim: Claim) -> bool:
        with self._database.write() as session:
            lease = timedelta(seconds=self._sending.lease_seconds)
            return gate.extend(session, claim, now=_now(), lease=lease)


def _still(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """The tasks that run; one that ended with a mistake of ours ends the worker, loudly."""
    for task in tasks:
        if task.done():
            task.result()
    return {task for task in tasks if not task.done()}


def _now() -> datetime:
    return datetime.now(UTC)
