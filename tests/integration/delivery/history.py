"""Everything that may happen to campaigns and their people, in any order, as a state machine.

The ledger, the gate and the sender are the real ones, and so is the SMTP server. What it took is
the truth; what the rules did to people is remembered here, and nowhere read from the database.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Row, select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.model import CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery import gate, ledger
from mailer.delivery import queries as delivery_queries
from mailer.delivery.composers import Composers
from mailer.delivery.model import Claim, DeliveryState, Intent, Message, Outcome
from mailer.delivery.plan import add_joined
from mailer.delivery.repair import queries as repair
from mailer.delivery.repair import settle
from mailer.delivery.retry import RetryPolicy, decide
from mailer.delivery.send import Sender
from mailer.delivery.smtp import Connection
from mailer.delivery.tables import chunks, deliveries, intents
from mailer.errors import CampaignRefused
from mailer.feedback import queries as feedback_queries
from mailer.feedback.apply import apply_waiting
from mailer.feedback.model import Arrived
from mailer.queue.clock import Clock
from mailer.settings import RelaySettings, SendingSettings, Settings
from subscribers import queries as people
from subscribers.database import Database
from subscribers.tables import subscribers
from subscribers.token import make_verp
from tests.integration.delivery.conftest import LATE, World, simple_rendering
from tests.services.sink_session import Answer
from tests.services.thread_sink import LOST, TAKEN_AND_LOST, ThreadSink

SENDING = SendingSettings(
    slice_seconds=5,
    lease_seconds=60,
    chunk_size=3,
    max_open_intents=4,
    retry_first=0.001,
    retry_slow=0.001,
    retry_most=0.001,
    flush_seconds=0.001,
    poll_seconds=0.01,
    connect_timeout=5,
    command_timeout=5,
    reply_timeout=5,
)
POLICY = RetryPolicy(
    first=timedelta(milliseconds=1),
    most=timedelta(milliseconds=1),
    give_up_after=timedelta(hours=1),
)
NO_SUCH_USER = "550 5.1.1 no such user"
AT_RCPT = (NO_SUCH_USER, "451 4.3.0 later")
AT_DOT = ("554 5.6.0 not this", "452 4.3.1 not now", LOST, TAKEN_AND_LOST, Answer())
FATES = st.lists(st.sampled_from([*AT_RCPT, *AT_DOT]), max_size=4)
MOST_PEOPLE, MOST_CAMPAIGNS, MOST_SLEEPERS = 8, 3, 2
_SUBJECT = re.compile(rb"^Subject: c(\d+)\r$", re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^Message-ID: (.*)\r$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Sleeper:
    """A worker that was stopped with copies past the gate and not yet on the wire."""

    claim: Claim
    flights: tuple[tuple[Intent, Message], ...]


class History(RuleBasedStateMachine):
    """One database and its newsletter; the sink begins anew with each history."""

    def __init__(self, new_database: Callable[[], Database], sink: ThreadSink) -> None:
        super().__init__()
        self.sink = sink
        sink.clear()
        self.world = World(database=new_database())
        self.world.now = datetime.now(UTC)
        self.world.add_newsletter()
        self.database = self.world.database
        self.settings = Settings(
            database_url=self.database.url,
            relay=RelaySettings(port=sink.port, connections=2),
            sending=SENDING,
            inbound_domain="in.example.com",
        )
        self.composers = Composers(
            settings=self.settings, database=self.database, keyring=self.world.keyring
        )
        self.clock = Clock(
            database=self.database,
            sending=SENDING,
            wake=lambda _chunk: None,
            apply_feedback=lambda now: apply_waiting(self.database, self.world.keyring, now=now),
        )
        self.people: dict[str, int] = {}
        self.gone: set[str] = set()
        self.made: list[int] = []
        self.sleepers: list[Sleeper] = []
        #: Copies that a person put back though they may have left.
        self.risked: Counter[int] = Counter()
        self.flown = 0
        self.may_fly: set[tuple[int, str]] = set()

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
            "id": f"e{data.draw(st.integers(0, 10**9))}",
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
                    campaign_queries.pause(session, campaign, reason="by hand")
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
                timezone="UTC",
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
        # Who was refused for good by the server in this step may not fly in the next.
        self.gone |= {name for name, reply in self.sink.said if reply == NO_SUCH_USER}
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

    # -- in words --------------------------------------------------------------------------

    @property
    def copies(self) -> Counter[tuple[str, str]]:
        """What the server took, by campaign's words and address."""
        return Counter(
            (f"c{_SUBJECT.findall(one.content)[0].decode()}", one.recipient)
            for one in self.sink.kept
        )

    def rows(self) -> Sequence[Row[tuple[int, int, str, int, str, str]]]:
        """All deliveries, each with its person's address and its campaign's words."""
        with self.database.read() as session:
            return session.execute(
                select(
                    deliveries.c.id,
                    deliveries.c.campaign_id,
                    deliveries.c.state,
                    deliveries.c.attempt,
                    subscribers.c.address,
                    campaigns.c.subject.label("words"),
                )
                .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
                .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
            ).all()

    def of(self, state: str) -> set[int]:
        return {row.id for row in self.rows() if row.state == state}

    def runs(self, campaign: int) -> bool:
        with self.database.read() as session:
            return campaign_queries.get(session, campaign).state in (
                CampaignState.SENDING,
                # Its last copy may have been the step's.
                CampaignState.FINISHED,
                CampaignState.SCHEDULED,
                CampaignState.PLANNING,
            )

    def world_now(self) -> World:
        self.world.now = datetime.now(UTC)
        return self.world

    def doom(self, fates: Sequence[str | Answer]) -> None:
        """The first people meet these fates, one each."""
        for name, fate in zip(self.people, fates, strict=False):
            self.sink.tell("RCPT" if fate in AT_RCPT else "dot", name, fate)

    def stopped(self, campaign: int, count: int) -> Sleeper | None:
        """Claim a chunk, pass the gate with so many copies, and let none fly yet."""
        with self.database.write() as session:
            claim = gate.claim(
                session,
                worker="sleeper",
                now=datetime.now(UTC),
                lease=timedelta(minutes=1),
                late_after=LATE,
                campaign_id=campaign,
            )
        if claim is None:
            return None
        with self.database.read() as session:
            waiting = delivery_queries.waiting(
                session, claim, after=0, now=datetime.now(UTC), limit=count
            )
        composer = self.composers.of(campaign, "default")
        date = datetime.now(UTC)
        made = {w.recipient.delivery_id: composer.compose(w.recipient, date=date) for w in waiting}
        passed = self.world_now().pass_gate(claim, [*made], worker="sleeper")
        flights = tuple((intent, made[intent.delivery_id]) for intent in passed.intents)
        return Sleeper(claim=claim, flights=flights)

    def drain(self, campaign: int) -> None:
        sender = Sender(settings=self.settings, database=self.database, keyring=self.world.keyring)
        asyncio.run(sender.drain(campaign))

    async def fly(self, sleeper: Sleeper) -> list[Outcome]:
        """Hand its copies over, one connection for each that the last one spoiled."""
        told, connection = list[Outcome](), None
        for intent, message in sleeper.flights:
            if connection is None or not connection.usable:
                connection = await Connection.open(
                    self.settings.relay, SENDING, local_hostname="news.test"
                )
            handed = await connection.send(message)
            told.append(
                Outcome(
                    delivery_id=intent.delivery_id,
                    attempt=intent.attempt,
                    verdict=handed.verdict,
                    phase=handed.phase,
                    at=datetime.now(UTC),
                    code=handed.code,
                    enhanced=handed.enhanced,
                    reason=handed.reason,
                    reply=handed.text,
                )
            )
        if connection is not None:
            await connection.close()
        return told
