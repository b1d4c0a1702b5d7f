"""A campaign for a segment: who is in it gets one copy, where consent lets them."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.tables import campaigns
from mailer.delivery.tables import deliveries
from subscribers import queries
from subscribers.address import parse
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


def test_who_gets_another_newsletter_too_is_left_out_or_alone_meant(world: World) -> None:
    both, only = world.add_people("both@example.com", "only@example.com")
    with world.database.write() as session:
        this = queries.newsletter(session, world.newsletter_id)
        other = queries.add_newsletter(session, replace(this, slug="daily"), now=world.now)
        for name in ("both", "stranger"):
            queries.add(
                session,
                parse(f"{name}@example.com"),
                other,
                keyring=world.keyring,
                now=world.now,
            )
    union = scheduled(world, ["newsletter:daily", "address = only@example.com"], [])
    world.plan(union)
    assert recipients(world, union) == {both, only}, "and nobody who never asked for this one"
    assert _in(world, "not newsletter:daily") == {only}
    with world.database.write() as session:
        queries.unsubscribe(session, both, other, now=world.now)
    assert _in(world, "not newsletter:daily") == {both, only}


def _in(world: World, words: str) -> set[int]:
    with world.database.read() as session:
        tree = segments.read(session, words)
        found = segments.people(session, world.newsletter_id, tree, now=world.now, limit=9)
        assert segments.count(session, world.newsletter_id, tree, now=world.now) == len(found)
        return {one.id for one in found}
