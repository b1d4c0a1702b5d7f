"""The sender: from claimed chunks over real SMTP to outcomes in the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread

import pytest
from sqlalchemy import select, text

from mailer.campaign import queries as campaign_queries
from mailer.delivery import ledger
from mailer.delivery import queries as delivery_queries
from mailer.delivery.send import Sender
from mailer.queue.actors import Waker
from mailer.queue.broker import make_broker
from mailer.queue.clock import Clock
from mailer.settings import RelaySettings, SendingSettings, Settings
from subscribers.tables import subscriptions, suppressions
from tests.integration.delivery.conftest import World
from tests.services.smtp import SmtpSink

QUICK = SendingSettings(
    slice_seconds=5,
    lease_seconds=2,
    poll_seconds=0.05,
    clock_seconds=0.05,
    rewake_seconds=0.2,
    retry_first=0.2,
    retry_most=0.5,
    flush_seconds=0.01,
    connect_timeout=2,
    command_timeout=2,
    reply_timeout=2,
    grace_seconds=5,
)


@dataclass
class Plant:
    """Sender and clock at work on a world, in threads, as `mailer serve` has them."""

    world: World
    settings: Settings
    broker_url: str | None = None
    threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> Plant:
        self.sender = Sender(
            settings=self.settings, database=self.world.database, keyring=self.world.keyring
        )
        self.waker = Waker(make_broker(self.broker_url), self.sender.offer)
        self.clock = Clock(
            database=self.world.database,
            sending=self.settings.sending,
            wake=self.waker.wake,
            apply_feedback=lambda now: 0,
        )
        self.waker.start()
        for body in (lambda: asyncio.run(self.sender.run()), self.clock.run):
            thread = Thread(target=body)
            thread.start()
            self.threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self.clock.stop()
        self.sender.stop()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        self.waker.stop()

    def wait(self, until: Callable[[], bool], seconds: float = 20) -> None:
        deadline = datetime.now(UTC).timestamp() + seconds
        while not until():
            assert datetime.now(UTC).timestamp() < deadline, "it took too long"
            asyncio.run(asyncio.sleep(0.05))


def settings(world: World, sink: SmtpSink, **relay: object) -> Settings:
    return Settings(
        database_url=world.database.url,
        relay=RelaySettings(
            host=sink.host,
            port=sink.port,
            connections=4,
            **relay,  # type: ignore[arg-type]
        ),
        sending=QUICK,
    )


def over(world: World, campaign: int) -> Callable[[], bool]:
    return lambda: world.state(campaign) in ("finished", "paused", "cancelled")


def copies(sink: SmtpSink) -> Counter[str]:
    return Counter(recipient for mail in sink.received for recipient in mail.recipients)


@pytest.fixture
def now_world(world: World) -> World:
    world.now = datetime.now(UTC)
    return world


def test_everybody_gets_one_and_the_ledger_balances(
    now_world: World, smtp_sink: SmtpSink, broker_url: str | None
) -> None:
    people = [f"p{n}@example.com" for n in range(150)]
    now_world.add_people(*people)
    campaign = now_world.add_campaign()
    with Plant(now_world, settings(now_world, smtp_sink), broker_url) as plant:
        plant.wait(over(now_world, campaign))
    assert copies(smtp_sink) == Counter(people)
    with now_world.database.read() as session:
        balance = ledger.balance(session, campaign)
    assert balance.states == {"sent": 150}
    assert balance.balances


def test_refusals_end_as_they_should(now_world: World, smtp_sink: SmtpSink) -> None:
    now_world.add_people("ok@example.com", "never@example.com", "later@example.com")
    now_world.add_people("spam@example.com", "drop@example.com")
    smtp_sink.answer("never@example.com", "550 5.1.1 no such user never@example.com…")
    smtp_sink.answer("later@example.com", "451 4.7.1 greylisted", "451 4.7.1 greylisted")
    smtp_sink.answer("spam@example.com", "554 5.7.1 spam", phase="reply")
    smtp_sink.answer("drop@example.com", "drop", phase="reply")
    campaign = now_world.add_campaign()
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        plant.wait(over(now_world, campaign))
    assert now_world.states(campaign) == ["sent", "failed", "sent", "failed", "unknown"]
    assert copies(smtp_sink) == {"ok@example.com": 1, "later@example.com": 1}
    with now_world.database.read() as session:
        statuses = [
            *session.execute(
                select(subscriptions.c.status).order_by(subscriptions.c.subscriber_id)
            ).scalars()
        ]
        reasons = [*session.execute(select(suppressions.c.reason)).scalars()]
        story = delivery_queries.story(session, now_world.ids(campaign)[1])
    # Only "no such user" is about the address.
    assert statuses == ["active", "bounced", "active", "active", "active"]
    assert reasons == ["no-such-user"]
    assert "never@" not in " ".join(step.evidence for step in story)


def test_a_relay_that_is_down_costs_no_attempt(now_world: World) -> None:
    now_world.add_people("a@example.com")
    campaign = now_world.add_campaign()
    sink = SmtpSink()
    with Plant(now_world, settings(now_world, sink)) as plant:
        plant.wait(lambda: now_world.state(campaign) == "sending")
        asyncio.run(asyncio.sleep(0.5))
        assert now_world.states(campaign) == ["queued"]
        with now_world.database.read() as session:
            assert delivery_queries.story(session, now_world.ids(campaign)[0]) == []
        sink.start()
        plant.wait(over(now_world, campaign))
    sink.stop()
    assert now_world.states(campaign) == ["sent"]


def test_a_wrong_password_pauses_the_campaign_and_says_why(now_world: World) -> None:
    now_world.add_people("a@example.com")
    campaign = now_world.add_campaign()
    sink = SmtpSink(login=("me", "right"))
    sink.start()
    try:
        told = settings(now_world, sink, username="me", password="wrong")
        with Plant(now_world, told) as plant:
            plant.wait(over(now_world, campaign))
    finally:
        sink.stop()
    with now_world.database.read() as session:
        paused = campaign_queries.get(session, campaign)
    assert paused.state == "paused"
    assert paused.pause_reason
    assert "password" in paused.pause_reason
    assert "wrong" not in paused.pause_reason
    assert now_world.states(campaign) == ["queued"]


def test_a_sender_the_relay_refuses_pauses_the_campaign_and_costs_nobody_their_copy(
    now_world: World, smtp_sink: SmtpSink
) -> None:
    people = [f"p{n}@example.com" for n in range(40)]
    now_world.add_people(*people)
    for person in people:
        smtp_sink.answer(person, "553 5.7.1 sender address rejected: not owned by user")
    campaign = now_world.add_campaign()
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        plant.wait(over(now_world, campaign))
        with now_world.database.read() as session:
            paused = campaign_queries.get(session, campaign)
        assert paused.state == "paused"
        assert "553 5.7.1 sender address rejected" in (paused.pause_reason or "")
        assert f"mailer campaign resume {campaign}" in (paused.pause_reason or "")
        plant.wait(lambda: "sending" not in now_world.states(campaign))
        assert set(now_world.states(campaign)) <= {"queued", "deferred"}
        # The sender is mended at the relay, and a person lets it go on.
        for person in people:
            smtp_sink.answer(person)
        with now_world.database.write() as session:
            campaign_queries.resume(session, campaign, now=datetime.now(UTC))
        plant.wait(over(now_world, campaign))
    assert set(now_world.states(campaign)) == {"sent"}
    assert copies(smtp_sink) == Counter(people)


def test_pause_stops_and_resume_goes_on(now_world: World, smtp_sink: SmtpSink) -> None:
    people = [f"p{n}@example.com" for n in range(400)]
    now_world.add_people(*people)
    campaign = now_world.add_campaign()
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        plant.wait(lambda: len(smtp_sink.received) > 20)
        with now_world.database.write() as session:
            assert campaign_queries.pause(
                session, campaign, reason="by hand", now=datetime.now(UTC)
            )
        asyncio.run(asyncio.sleep(0.5))
        stopped_at = len(smtp_sink.received)
        asyncio.run(asyncio.sleep(0.5))
        assert len(smtp_sink.received) == stopped_at < 400
        with now_world.database.write() as session:
            campaign_queries.resume(session, campaign, now=datetime.now(UTC))
        plant.wait(over(now_world, campaign))
    assert copies(smtp_sink) == Counter(people)


def test_stopping_leaves_nothing_unknown(now_world: World, smtp_sink: SmtpSink) -> None:
    people = [f"p{n}@example.com" for n in range(300)]
    now_world.add_people(*people)
    campaign = now_world.add_campaign()
    for _ in range(4):
        with Plant(now_world, settings(now_world, smtp_sink)) as plant:
            plant.wait(lambda: len(smtp_sink.received) % 90 > 30 or over(now_world, campaign)())
        assert "sending" not in now_world.states(campaign)
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        plant.wait(over(now_world, campaign))
    assert set(now_world.states(campaign)) == {"sent"}
    assert copies(smtp_sink) == Counter(people)


def test_stopping_waits_for_a_database_that_takes_no_outcomes(
    now_world: World, smtp_sink: SmtpSink
) -> None:
    if not now_world.database.is_sqlite:
        pytest.skip("the refusal is made by a trigger of SQLite")
    people = [f"p{n}@example.com" for n in range(5)]
    now_world.add_people(*people)
    campaign = now_world.add_campaign()
    refusing = "CREATE TRIGGER busy BEFORE INSERT ON outcomes BEGIN {} END"
    with now_world.database.write() as session:
        session.execute(text(refusing.format("SELECT RAISE(ABORT, 'database is locked');")))
    told = settings(now_world, smtp_sink)
    told = told.model_copy(update={"sending": QUICK.model_copy(update={"grace_seconds": 0.2})})
    with Plant(now_world, told) as plant:
        plant.wait(lambda: len(smtp_sink.received) == len(people))
        plant.sender.stop()
        plant.threads[0].join(1.5)
        with now_world.database.write() as session:
            session.execute(text("DROP TRIGGER busy"))
    assert now_world.states(campaign) == ["sent"] * len(people)


def test_cancel_ends_it_and_the_books_close(now_world: World, smtp_sink: SmtpSink) -> None:
    now_world.add_people(*(f"p{n}@example.com" for n in range(400)))
    campaign = now_world.add_campaign()
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        plant.wait(lambda: len(smtp_sink.received) > 20)
        with now_world.database.write() as session:
            campaign_queries.cancel(session, campaign, now=datetime.now(UTC))
        plant.wait(lambda: not {"queued", "sending"} & set(now_world.states(campaign)))
    states = Counter(now_world.states(campaign))
    assert states["sent"] == len(smtp_sink.received)
    assert states["sent"] + states["cancelled"] == 400
