"""The world of a history: its database, its server, and the hands that act in it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy import Row, select

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery import gate
from mailer.delivery import queries as delivery_queries
from mailer.delivery.composers import Composers
from mailer.delivery.model import Claim, Intent, Message, Outcome
from mailer.delivery.retry import RetryPolicy
from mailer.delivery.send import Sender
from mailer.delivery.smtp import Connection
from mailer.delivery.tables import deliveries, outcomes
from mailer.feedback.apply import apply_waiting
from mailer.queue.clock import Clock
from mailer.settings import RelaySettings, SendingSettings, Settings
from subscribers.database import Database
from subscribers.tables import subscribers
from tests.integration.delivery.conftest import LATE, World
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
_SUBJECT = re.compile(rb"^Subject: c(\d+)\r$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Sleeper:
    """A worker that was stopped with copies past the gate and not yet on the wire."""

    claim: Claim
    flights: tuple[tuple[Intent, Message], ...]


class Chronicle(RuleBasedStateMachine):
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

    def refused(self) -> set[str]:
        """Whose 550 a worker has heard: it may have been lost with the connection."""
        with self.database.read() as session:
            names = session.execute(
                select(subscribers.c.address)
                .join(deliveries, deliveries.c.subscriber_id == subscribers.c.id)
                .join(outcomes, outcomes.c.delivery_id == deliveries.c.id)
                .where(outcomes.c.code == int(NO_SUCH_USER[:3]))
            )
            return {*names.scalars()}

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
