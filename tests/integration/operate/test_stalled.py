"""An issue that stands still is told of, once, and one that has reason to wait is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind, Canary
from mailer.delivery.fuse import queries as fuse
from mailer.delivery.model import Verdict
from mailer.delivery.tables import chunks, deliveries
from mailer.notice.stalled import StallWatch
from tests.integration.delivery.conftest import World, world

__all__ = ["world"]
AFTER = timedelta(minutes=10)


@pytest.fixture
def campaign(world: World) -> int:
    world.add_people(*(f"p{n}@example.com" for n in range(4)))
    made = world.add_campaign()
    world.plan(made)
    return made


def told(world: World, *, minutes: float = 0) -> int:
    """Look, so many minutes later; gives how many alarms there are by now."""
    world.now += timedelta(minutes=minutes)
    StallWatch(database=world.database, keyring=world.keyring, after=AFTER).look(world.now)
    with world.database.read() as session:
        rows = session.execute(
            select(deliveries.c.to_address).where(deliveries.c.kind == CampaignKind.NOTICE)
        ).all()
    assert {row.to_address for row in rows} <= {"weekly@example.com"}
    return len(rows)


def test_it_is_told_once_until_it_moves_on(world: World, campaign: int) -> None:
    assert told(world) == 0
    assert told(world, minutes=9) == 0
    assert told(world, minutes=2) == 1
    assert told(world, minutes=30) == 1
    claim = world.claim()
    while claim is not None and claim.campaign_id != campaign:  # the alarm goes before
        claim = world.claim()
    assert claim is not None
    [first, *_] = world.ids(campaign)
    world.pass_gate(claim, [first])
    with world.database.write() as session:
        fuse.add(session, "a", [(claim, world.outcome(first, Verdict.SENT))])
    assert told(world) == 1
    assert told(world, minutes=9) == 1
    assert told(world, minutes=2) == 2


def test_a_paused_one_waits_for_a_person_and_begins_anew(world: World, campaign: int) -> None:
    assert told(world) == 0
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="by hand", now=world.now)
    assert told(world, minutes=60) == 0
    with world.database.write() as session:
        campaign_queries.resume(session, campaign, now=world.now)
    assert told(world) == 0
    assert told(world, minutes=11) == 1


def test_what_waits_for_its_time_does_not_stand_still(world: World, campaign: int) -> None:
    # A lane's daily limit is spent.
    with world.database.write() as session:
        session.execute(update(chunks).values(due_at=world.now + timedelta(hours=9)))
    assert told(world) == 0
    assert told(world, minutes=60) == 0
    # Only copies that were put off are left.
    with world.database.write() as session:
        session.execute(update(chunks).values(due_at=world.now))
        session.execute(
            update(deliveries)
            .where(deliveries.c.campaign_id == campaign)
            .values(state="deferred", attempt=1)
        )
    assert told(world, minutes=60) == 0


def test_a_canary_that_is_being_watched_is_no_standstill(world: World) -> None:
    world.add_people(*(f"p{n}@example.com" for n in range(4)))
    campaign = world.add_campaign(canary=Canary(size=1, hold=timedelta(hours=1)))
    world.plan(campaign)
    with world.database.write() as session:
        session.execute(
            update(deliveries)
            .where(deliveries.c.chunk_id.in_(select(chunks.c.id).where(chunks.c.wave == 0)))
            .values(state="sent", attempt=1)
        )
    assert told(world) == 0
    assert told(world, minutes=30) == 0
