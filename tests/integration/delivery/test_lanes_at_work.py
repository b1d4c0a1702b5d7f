"""Limits, storms, turns and relays, with real senders and a server's own log as the judge."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from mailer.delivery import grants
from mailer.delivery.pace import Limits
from mailer.delivery.pacer import Pacer
from mailer.delivery.tables import deliveries, intents, pacing
from mailer.delivery.threads import LedgerThreads
from mailer.settings import RelaySettings, SendingSettings, Settings
from tests.integration.delivery.conftest import World
from tests.integration.delivery.test_send import QUICK, Plant, copies, over, settings
from tests.services.smtp import SmtpSink

#: People in the lane that must not suffer.
OTHERS = 160
#: What no database has a part in is run on one.
ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def now_world(world: World) -> World:
    world.now = datetime.now(UTC)
    return world


def limit(world: World, lane: str, limits: Limits) -> None:
    with world.database.write() as session:
        grants.set_limits(session, "default", lane, limits, now=datetime.now(UTC))


def people(world: World, count: int, domain: str, start: int = 0) -> list[str]:
    names = [f"p{n}@{domain}" for n in range(start, start + count)]
    world.add_people(*names)
    return names


@pytest.mark.chaos  # it compares paces, which a busy machine bends
def test_a_storm_in_one_lane_slows_that_lane_and_no_other(
    now_world: World, smtp_sink: SmtpSink
) -> None:
    """The others go as fast as their limit, with the storm as without it."""
    limit(now_world, "other", Limits(per_second=60))
    people(now_world, OTHERS, "example.com")
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        calm = now_world.add_campaign(words="calm")
        plant.wait(over(now_world, calm), 30)
        without = pace_of(smtp_sink, 0)
        # Everybody at Gmail is put off, for ever.
        for person in people(now_world, 200, "gmail.com"):
            smtp_sink.answer(person, "421 4.7.28 too many messages, slow down…")
        now_world.now = datetime.now(UTC)
        stormy = now_world.add_campaign(words="stormy")
        plant.wait(lambda: len(smtp_sink.received) == 2 * OTHERS, 40)
        tries = tried(now_world, stormy, "gmail")
        with_storm = pace_of(smtp_sink, OTHERS)
    assert with_storm >= 0.95 * without
    with now_world.database.read() as session:
        slowed = session.execute(select(pacing.c.lane, pacing.c.rate)).all()
    assert {row.lane for row in slowed if row.rate is not None} == {"gmail"}
    # Of two hundred people nobody but the first few was tried before the lane went slow.
    assert 0 < tries < 100


def pace_of(sink: SmtpSink, start: int) -> float:
    """Messages a second, from this one on."""
    moments = sorted(mail.at for mail in sink.received)[start : start + OTHERS]
    return (len(moments) - 1) / (moments[-1] - moments[0])


def tried(world: World, campaign: int, lane: str) -> int:
    with world.database.read() as session:
        return session.execute(
            select(func.count())
            .select_from(intents)
            .join(deliveries, deliveries.c.id == intents.c.delivery_id)
            .where(deliveries.c.campaign_id == campaign, deliveries.c.lane == lane)
        ).scalar_one()


@ON_ONE
def test_a_small_campaign_starts_within_a_few_slices_beside_a_huge_one(
    now_world: World, smtp_sink: SmtpSink
) -> None:
    limit(now_world, "other", Limits(per_second=100))
    people(now_world, 1500, "example.com")
    brief = SendingSettings(**{**QUICK.model_dump(), "slice_seconds": 0.5, "chunk_size": 50})
    told = settings(now_world, smtp_sink).model_copy(update={"sending": brief})
    huge = now_world.add_campaign(words="huge")
    with Plant(now_world, told) as plant:
        plant.wait(lambda: len(smtp_sink.received) > 50)
        now_world.now = datetime.now(UTC)
        small = now_world.add_campaign(words="small")
        plant.wait(lambda: "sent" in now_world.states(small), 5)
        assert now_world.states(huge).count("queued") > 500


def two_relays(world: World, first: RelaySettings, second: RelaySettings) -> Settings:
    return Settings(
        database_url=world.database.url,
        relays={"first": first, "second": second},
        sending=SendingSettings(**{**QUICK.model_dump(), "chunk_size": 5}),
    )


@ON_ONE
def test_a_sick_relay_is_left_out_and_probed_back(now_world: World, smtp_sink: SmtpSink) -> None:
    late = SmtpSink()
    people(now_world, 50, "example.com")
    told = two_relays(
        now_world,
        RelaySettings(port=late.port, weight=50),
        RelaySettings(port=smtp_sink.port),
    )
    campaign = now_world.add_campaign(words="one")
    with Plant(now_world, told) as plant:
        plant.wait(over(now_world, campaign))
        assert len(smtp_sink.received) == 50
        with now_world.database.read() as session:
            assert session.execute(select(func.max(intents.c.attempt))).scalar_one() == 1
        late.start()
        try:
            time.sleep(1)
            now_world.now = datetime.now(UTC)
            again = now_world.add_campaign(words="two")
            plant.wait(over(now_world, again))
        finally:
            plant.__exit__()
            plant.threads.clear()
            late.stop()
    assert len(late.received) > 25
    assert len(late.received) + len(smtp_sink.received) == 100


@ON_ONE
def test_relays_share_the_mail_by_weight(now_world: World, smtp_sink: SmtpSink) -> None:
    other = SmtpSink()
    other.start()
    people(now_world, 400, "example.com")
    told = two_relays(
        now_world, RelaySettings(port=smtp_sink.port, weight=3), RelaySettings(port=other.port)
    )
    campaign = now_world.add_campaign()
    try:
        with Plant(now_world, told) as plant:
            plant.wait(over(now_world, campaign), 30)
    finally:
        other.stop()
    # Eighty draws of three in four: four and a half standard deviations.
    assert 0.53 < len(smtp_sink.received) / 400 < 0.97
    assert set((copies(smtp_sink) + copies(other)).values()) == {1}


@ON_ONE
def test_a_report_from_behind_the_relay_slows_a_lane_at_work(
    now_world: World, smtp_sink: SmtpSink
) -> None:
    people(now_world, 300, "gmail.com")
    limit(now_world, "gmail", Limits(per_second=60))
    campaign = now_world.add_campaign()
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        plant.wait(lambda: len(smtp_sink.received) > 60)
        with now_world.database.write() as session:
            grants.report(session, now_world.ids(campaign)[:20], now=datetime.now(UTC))
        plant.wait(lambda: rate_of(now_world, "gmail") is not None, 20)
    with now_world.database.read() as session:
        assert not grants.reported(session, since=datetime.fromtimestamp(0, UTC))


def rate_of(world: World, lane: str) -> float | None:
    with world.database.read() as session:
        rate: float | None = session.execute(
            select(pacing.c.rate).where(pacing.c.lane == lane)
        ).scalar_one()
    return rate


def test_a_lane_that_has_only_begun_is_measured_by_what_it_did(world: World) -> None:
    """Not over ten seconds of which it saw one: it would crawl for minutes over one refusal."""

    async def trouble() -> float:
        threads = LedgerThreads(world.database)
        try:
            pacer = Pacer(database=world.database, run=threads.run, worker="a")
            for _ in range(60):
                pacer.flew("default", "other")
            return await pacer.trouble("default", "other")
        finally:
            threads.close()

    assert asyncio.run(trouble()) == pytest.approx(30, rel=0.1)
