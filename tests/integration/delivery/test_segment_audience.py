"""A campaign for a segment: who is in it gets one copy, where consent lets them."""

from __future__ import annotations

from sqlalchemy import update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.tables import campaigns
from mailer.delivery.tables import deliveries
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare, strip, withdraw
from subscribers.segment import queries as segments
from subscribers.tables import subscribers
from tests.integration.delivery.conftest import World


def with_plans(world: World) -> dict[str, list[int]]:
    """Twenty people on each of two plans, by plan."""
    with world.database.write() as session:
        declare(session, [Definition(name="plan", kind=Kind.TEXT)], now=world.now)
    found = {}
    for plan in ("pro", "free"):
        found[plan] = world.add_people(*(f"{plan}{n}@example.com" for n in range(20)))
        with world.database.write() as session:
            session.execute(
                update(subscribers)
                .where(subscribers.c.id.in_(found[plan]))
                .values(attributes={"plan": plan})
            )
    return found


def scheduled(world: World, wanted: list[str], excluded: list[str]) -> int:
    """A campaign for a segment."""
    campaign = world.add_campaign()
    with world.database.write() as session:
        words = segments.combined(session, wanted, excluded)
        session.execute(update(campaigns).where(campaigns.c.id == campaign).values(segment=words))
    return campaign


def recipients(world: World, campaign: int) -> set[int]:
    """Who has a copy, once each."""
    with world.database.read() as session:
        rows = session.execute(
            deliveries.select().where(deliveries.c.campaign_id == campaign)
        ).all()
    ids = [row.subscriber_id for row in rows]
    assert len(ids) == len(set(ids))
    return set(ids)


def test_only_the_segment_gets_it_and_nobody_twice(world: World) -> None:
    people = with_plans(world)
    world.set_status(people["pro"][0], "unsubscribed")
    first, second = people["pro"][1], people["free"][0]
    excluded = [f"address = free{n}@example.com" for n in range(1, 20)]
    campaign = scheduled(world, ["plan = pro", "plan = pro or has plan"], excluded)
    world.plan(campaign, range_size=7)
    got = recipients(world, campaign)
    assert got == {*people["pro"][1:], second}
    assert first in got


def test_what_is_saved_may_change_after_a_campaign_is_scheduled(world: World) -> None:
    people = with_plans(world)
    with world.database.write() as session:
        segments.save(session, "chosen", "plan = pro", now=world.now)
    campaign = scheduled(world, ["chosen"], [])
    with world.database.write() as session:
        segments.save(session, "chosen", "plan = free", now=world.now)
    world.plan(campaign)
    assert recipients(world, campaign) == {*people["pro"]}


def test_a_segment_that_means_nothing_any_more_pauses_its_campaign(world: World) -> None:
    with_plans(world)
    campaign = scheduled(world, ["plan = pro"], [])
    with world.database.write() as session:
        strip(session, "plan")
        withdraw(session, "plan")
    world.plan(campaign)
    with world.database.read() as session:
        found = campaign_queries.get(session, campaign)
    assert found.state == "paused"
    assert "no field or attribute is named 'plan'" in str(found.pause_reason)
    assert recipients(world, campaign) == set()
