"""The loop that starts what is due. Two of them at once do no harm: every step is a
compare-and-set in the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, CampaignState
from mailer.delivery import ledger, queries
from mailer.delivery.fuse.watch import watch
from mailer.delivery.late import queries as late
from mailer.delivery.plan import plan
from mailer.errors import BrokerUnavailable
from mailer.settings import FuseSettings, SendingSettings
from subscribers.database import Database
from subscribers.errors import PressrunError

log = logging.getLogger(__name__)

#: Wake-ups sent in one tick; what is outstanding at the broker stays bounded.
WAKE_AT_ONCE = 100
#: The fuse is looked after for at most one part in so many of the clock's time.
FUSE_SHARE = 20


class Clock:
    """Ticks until told to stop."""

    def __init__(
        self,
        *,
        database: Database,
        sending: SendingSettings,
        wake: Callable[[int], None],
        apply_feedback: Callable[[datetime], int],
        tell_owners: Callable[[datetime], int] = lambda _: 0,
        fuse: FuseSettings | None = None,
        look_after: Callable[[datetime], None] = lambda now: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._sending = sending
        self._wake = wake
        self._apply_feedback = apply_feedback
        self._tell_owners = tell_owners
        self._fuse = fuse or FuseSettings()
        self._fuse_again = 0.0
        self._look_after = look_after
        self._now = now
        self._stopping = threading.Event()

    def run(self) -> None:
        """Tick every `clock_seconds`; trouble is logged and the next tick tries again."""
        while not self._stopping.is_set():
            try:
                self.tick()
            except PressrunError as exc:
                log.warning("the clock stumbled: %s", exc)
            self._stopping.wait(self._sending.clock_seconds)

    def stop(self) -> None:
        """Return from `run` after this tick."""
        self._stopping.set()

    def tick(self) -> None:
        """One round: late, due, cancelled, planned, woken, finished, reported, stalled."""
        now = self._now()
        late_after = timedelta(seconds=self._sending.late_after)
        with self._database.write() as session:
            for campaign_id in late.pause_late(session, now=now, late_after=late_after):
                log.error(
                    "campaign %s is late and waits for a person",
                    campaign_id,
                    extra={"campaign": campaign_id},
                )
            campaign_queries.start_due(session, now=now, late_after=late_after)
            late.keep_alive(session, now=now, late_after=late_after)
        # First: who is to get the next campaign of an issue depends on who has none of the last.
        self._close_cancelled(now)
        self._plan(now)
        self._watch_fuses(now)
        self._tell_owners(now)
        self._wake_chunks(now)
        with self._database.write() as session:
            ledger.resend_unknown(session, now=now, not_before=now - self._may_be_under_way)
            for campaign_id in ledger.finish_complete(session, now=now):
                log.info("campaign %s is finished", campaign_id, extra={"campaign": campaign_id})
        self._apply_feedback(now)
        self._look_after(now)

    @property
    def _may_be_under_way(self) -> timedelta:
        """So long a copy may fly before its reply is overdue: none is put back sooner."""
        return timedelta(seconds=self._sending.command_timeout + self._sending.reply_timeout)

    def _plan(self, now: datetime) -> None:
        for campaign in self._in(CampaignState.PLANNING):
            plan(self._database, campaign.id, now=now, chunk_size=self._sending.chunk_size)

    def _watch_fuses(self, now: datetime) -> None:
        began = time.monotonic()
        if began < self._fuse_again:
            return
        with self._database.write() as session:
            watch(session, self._fuse, now=now)
        ended = time.monotonic()
        self._fuse_again = ended + (ended - began) * FUSE_SHARE

    def _wake_chunks(self, now: datetime) -> None:
        with self._database.write() as session:
            chunk_ids = queries.to_wake(
                session,
                now=now,
                woken_before=now - timedelta(seconds=self._sending.rewake_seconds),
                limit=WAKE_AT_ONCE,
            )
        try:
            for chunk_id in chunk_ids:
                self._wake(chunk_id)
        except BrokerUnavailable as exc:
            # Workers poll the database too: they start a little later, nothing else.
            log.warning("%s", exc)

    def _close_cancelled(self, now: datetime) -> None:
        for campaign in self._in(CampaignState.CANCELLED):
            while self._close_some(campaign.id, now):
                pass

    def _close_some(self, campaign_id: int, now: datetime) -> int:
        # A transaction for a few chunks: whoever writes meanwhile waits no longer than that.
        with self._database.write() as session:
            return ledger.cancel_waiting(session, campaign_id, now=now)

    def _in(self, state: CampaignState) -> list[Campaign]:
        with self._database.read() as session:
            return campaign_queries.in_states(session, [state])
