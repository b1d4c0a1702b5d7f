"""Everything that may happen to campaigns and their people, in any order, as a state machine.

The ledger, the gate and the sender are the real ones, and so is the SMTP server. What it took is
the truth; what the rules did to people is remembered here, and nowhere read from the database.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count as numbers

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.delivery import gate, ledger, refusals
from mailer.delivery.model import DeliveryState
from mailer.delivery.plan import add_joined
from mailer.delivery.repair import queries as repair
from mailer.delivery.repair import settle
from mailer.delivery.retry import decide
from mailer.delivery.tables import chunks, deliveries, intents
from mailer.errors import CampaignRefused
from mailer.feedback import queries as feedback_queries
from mailer.feedback.apply import apply_waiting
from mailer.feedback.model import Arrived
from subscribers import queries as people
from subscribers.tables import subscribers
from subscribers.token import make_verp
from tests.integration.delivery.chronicle import AT_DOT, AT_RCPT, POLICY, Chronicle
from tests.integration.delivery.conftest import simple_rendering
from tests.services.sink_session import Answer

FATES = st.lists(st.sampled_from([*AT_RCPT, *AT_DOT]), max_size=4)
MOST_PEOPLE, MOST_CAMPAIGNS, MOST_SLEEPERS = 8, 3, 2
_EVENTS = numbers(1)
_MESSAGE_ID = re.compile(rb"^Message-ID: (.*)\r$", re.MULTILINE | re.IGNORECASE)


class History(Chronicle):
    """What may happen, and what must hold after each step."""

    # -- who and what ----------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.join(4)
        self.schedule()

    @precondition(lambda self: len(self.people) < MOST_PEOPLE)
    @rule(count=st.integers(1, 3))
    def join(self, count: int) -> None:
        names = [f"p{len(self.people) + n}@example.com" for n in range(count)]
        self.people |= dict(zip(names, self.world.add_people(*names), strict=True))

    @precondition(lambda self: len(self.made) < MOST_CAMPAIGNS)
    @rule()
    def schedule(self) -> None:
        self.world.now = datetime.now(UTC)
        self.made.append(self.world.add_campaign(words=f"c{len(self.made)}"))
        self.clock.tick()

    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([*self.people]))
        with self.database.write() as session:
            newsletter = people.newsletter(session, self.world.newsletter_id)
            people.unsubscribe(session, self.people[name], newsletter, now=datetime.now(UTC))
        self.gone.add(name)

    @rule(data=st.data(), kind=st.sampled_from(["bounced", "complained", "delivered"]))
    def report(self, data: st.DataObject, kind: str) -> None:
        """Something is heard of a copy that did arrive."""
        arrived = [row for row in self.rows() if self.copies[row.words, row.address]]
        if not arrived:
            return
        row = data.draw(st.sampled_from(arrived))
        now = datetime.now(UTC)
        words = {
            # Its own: what comes a second time under one id is heard once.
            "id": f"e{next(_EVENTS)}",
            "type": kind,
            "at": now.isoformat(),
            "delivery": make_verp(self.world.keyring, row.id),
            **({"hard": True} if kind == "bounced" else {}),
        }
        arrival = Arrived(
            provider="generic",
            request_id=str(words["id"]),
            received_at=now,
            body=json.dumps(words).encode(),
        )
        with self.database.write() as session:
            feedback_queries.keep_requests(session, [arrival])
        apply_waiting(self.database, self.world.keyring, now=now)
        if kind != "delivered":
            self.gone.add(row.address)

    # -- sending ---------------------------------------------------------------------------

    @rule(data=st.data(), fates=FATES)
    def send(self, data: st.DataObject, fates: list[str | Answer]) -> None:
        """A healthy worker sends what is due of a campaign; some of it meets trouble."""
        campaign = data.draw(st.sampled_from(self.made))
        self.doom(fates)
        self.drain(campaign)
        self.sink.forgive()

    @rule(data=st.data(), count=st.integers(1, 3), fates=FATES, flies=st.booleans())
    def a_worker_is_killed(
        self, data: st.DataObject, count: int, fates: list[str | Answer], flies: bool
    ) -> None:
        """Behind the gate, before or after its copies flew; then its lease runs out."""
        victim = self.stopped(data.draw(st.sampled_from(self.made)), count)
        if victim is not None and flies:
            self.doom(fates)
            asyncio.run(self.fly(victim))
            self.sink.forgive()
        self.leases_run_out()

    @precondition(lambda self: len(self.sleepers) < MOST_SLEEPERS)
    @rule(data=st.data(), count=st.integers(1, 3))
    def fall_asleep(self, data: st.DataObject, count: int) -> None:
        """A worker is stopped behind the gate, and may wake up at any time."""
        sleeper = self.stopped(data.draw(st.sampled_from(self.made)), count)
        if sleeper is not None:
            self.sleepers.append(sleeper)

    @precondition(lambda self: self.sleepers)
    @rule(data=st.data(), fates=FATES)
    def wake_up(self, data: st.DataObject, fates: list[str | Answer]) -> None:
        """It lets its copies fly, however late, and tells how they ended."""
        sleeper = self.sleepers.pop(data.draw(st.integers(0, len(self.sleepers) - 1)))
        self.doom(fates)
        told = asyncio.run(self.fly(sleeper))
        self.sink.forgive()
        now = datetime.now(UTC)
        decided = [decide(outcome, first_at=now, policy=POLICY) for outcome in told]
        with self.database.write() as session:
            ledger.record_outcomes(session, decided, now=now)
            refusals.report(session, told, now=now)
            gate.release(session, sleeper.claim, now=now, not_before=now)

    @rule()
    def leases_run_out(self) -> None:
        with self.database.write() as session:
            session.execute(
                update(chunks)
                .where(chunks.c.lease_until.is_not(None))
                .values(lease_until=datetime.now(UTC) - timedelta(seconds=1))
            )

    @rule()
    def tick(self) -> None:
        self.clock.tick()

    # -- people at the command line --------------------------------------------------------

    @rule(data=st.data(), step=st.sampled_from(["pause", "resume", "resume", "cancel"]))
    def command(self, data: st.DataObject, step: str) -> None:
        campaign = data.draw(st.sampled_from(self.made))
        now = datetime.now(UTC)
        with suppress(CampaignRefused), self.database.write() as session:
            match step:
                case "pause":
                    campaign_queries.pause(session, campaign, reason="by hand", now=now)
                case "resume":
                    campaign_queries.resume(session, campaign, now=now)
                case "cancel":
                    campaign_queries.cancel(session, campaign, now=now)

    @rule(data=st.data(), state=st.sampled_from(["failed", "unknown"]))
    def resend(self, data: st.DataObject, state: str) -> None:
        campaign = data.draw(st.sampled_from(self.made))
        before = self.of(state)
        now = datetime.now(UTC)
        with suppress(CampaignRefused), self.database.write() as session:
            repair.put_back(
                session, campaign, DeliveryState(state), why="by hand", now=now, not_before=now
            )
        if state == "unknown":
            self.risked.update(before - self.of(state))

    @rule(data=st.data())
    def resend_to_who_joined(self, data: st.DataObject) -> None:
        campaign = data.draw(st.sampled_from(self.made))
        with suppress(CampaignRefused):
            add_joined(self.database, campaign, now=datetime.now(UTC), chunk_size=3)

    @precondition(lambda self: len(self.made) < MOST_CAMPAIGNS)
    @rule(data=st.data())
    def correct(self, data: st.DataObject) -> None:
        campaign = data.draw(st.sampled_from(self.made))
        with suppress(CampaignRefused), self.database.write() as session:
            made = scheduling.correct(
                session,
                simple_rendering(f"c{len(self.made)}"),
                original=campaign_queries.get(session, campaign),
                newsletter=people.newsletter(session, self.world.newsletter_id),
                now=datetime.now(UTC),
            )
            self.made.append(made)
        self.clock.tick()

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """By the relay's own list of what it took."""
        campaign = data.draw(st.sampled_from(self.made))
        lines = [_MESSAGE_ID.findall(one.content)[0].decode() for one in self.sink.kept]
        found = settle.proved(self.database, self.world.keyring, campaign, lines)
        settle.settle(self.database, found, now=datetime.now(UTC))

    # -- what must hold after every step ---------------------------------------------------

    @invariant()
    def the_books_close(self) -> None:
        with self.database.read() as session:
            for campaign in self.made:
                if campaign_queries.get(session, campaign).planned_at is not None:
                    assert ledger.balance(session, campaign).balances

    @invariant()
    def the_ledger_is_what_the_server_took(self) -> None:
        copies = self.copies
        for row in self.rows():
            got, risked = copies[row.words, row.address], self.risked[row.id]
            assert got <= 1 + risked, (row, got)
            if row.state == "sent":
                assert got >= 1, (row, got)
            elif row.state not in ("unknown", "sending"):
                assert got <= risked, (row, got)
        assert set(copies) <= {(row.words, row.address) for row in self.rows() if row.attempt}

    @invariant()
    def nobody_flies_who_may_not(self) -> None:
        with self.database.read() as session:
            flown = session.execute(
                select(deliveries.c.campaign_id, subscribers.c.address)
                .join(intents, intents.c.delivery_id == deliveries.c.id)
                .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
                .order_by(intents.c.at, intents.c.delivery_id, intents.c.attempt)
                .offset(self.flown)
            ).all()
            running = {c for c in self.made if self.runs(c)}
        for row in flown:
            assert (row.campaign_id, row.address) in self.may_fly, row
        self.flown += len(flown)
        # Of whom it was heard in this step that there is no such user may not fly in the next.
        self.gone |= self.refused()
        self.may_fly = {(c, name) for c in running for name in {*self.people} - self.gone}

    def teardown(self) -> None:
        """Drained, nothing waits any more, whatever came before."""
        self.sink.forgive()
        self.sleepers.clear()
        self.leases_run_out()
        for _ in range(3):
            for campaign in self.made:
                with suppress(CampaignRefused), self.database.write() as session:
                    campaign_queries.resume(session, campaign, now=datetime.now(UTC))
            self.clock.tick()
            for campaign in self.made:
                self.drain(campaign)
        self.clock.tick()
        self.the_ledger_is_what_the_server_took()
        with self.database.read() as session:
            for campaign in self.made:
                balance = ledger.balance(session, campaign)
                assert balance.closed, balance
                assert balance.balances, balance
        self.database.dispose()
