"""What follows a cancelled campaign: nobody falls between it and the next, nobody gets two."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.model import CampaignState
from mailer.delivery import gate, ledger
from mailer.delivery.model import Verdict
from mailer.delivery.retry import Decision
from mailer.delivery.tables import deliveries
from mailer.errors import AlreadyScheduled
from mailer.queue.clock import Clock
from mailer.settings import SendingSettings
from subscribers.queries import newsletter
from tests.integration.delivery.conftest import World, simple_rendering


def cancel(world: World, campaign: int) -> None:
    with world.database.write() as session:
        campaign_queries.cancel(session, campaign, now=world.now)


def again(world: World, words: str = "Hello") -> int:
    with world.database.write() as session:
        return scheduling.schedule(
            session,
            simple_rendering(words),
            newsletter=newsletter(session, world.newsletter_id),
            issue_number=None,
            due_at=world.now,
            timezone="UTC",
            again=True,
            now=world.now,
        )


def correct(world: World, original: int, words: str = "Corrected") -> int:
    with world.database.write() as session:
        return scheduling.correct(
            session,
            simple_rendering(words),
            original=campaign_queries.get(session, original),
            newsletter=newsletter(session, world.newsletter_id),
            now=world.now,
        )


def record(world: World, delivery_id: int, verdict: Verdict) -> None:
    with world.database.write() as session:
        told = [Decision(outcome=world.outcome(delivery_id, verdict))]
        ledger.record_outcomes(session, told, now=world.now)


def people_of(world: World, campaign: int) -> list[int]:
    with world.database.read() as session:
        return sorted(
            session.execute(
                select(deliveries.c.subscriber_id).where(deliveries.c.campaign_id == campaign)
            ).scalars()
        )


def clock(world: World) -> Clock:
    return Clock(
        database=world.database,
        sending=SendingSettings(),
        wake=lambda chunk_id: None,
        apply_feedback=lambda now: 0,
        now=lambda: world.now,
    )


def test_cancelled_and_sent_again_before_a_clock_looks_misses_nobody(world: World) -> None:
    people = world.add_people("a@example.com", "b@example.com")
    one = world.add_campaign()
    world.plan(one)
    cancel(world, one)
    two = again(world)
    clock(world).tick()
    assert people_of(world, two) == people
    assert world.states(one) == ["cancelled", "cancelled"]


def test_what_a_dead_worker_holds_of_a_cancelled_campaign_is_waited_for(world: World) -> None:
    people = world.add_people("a@example.com", "b@example.com", "c@example.com")
    one = world.add_campaign()
    world.plan(one)
    dead = world.claim(lease=60)
    world.pass_gate(dead, world.ids(one)[:1])
    cancel(world, one)
    two = again(world)
    clock(world).tick()
    # Nobody can say yet who has a copy.
    assert people_of(world, two) == []
    assert world.state(two) is CampaignState.PLANNING
    world.now += timedelta(seconds=61)
    clock(world).tick()
    assert world.states(one) == ["unknown", "cancelled", "cancelled"]
    assert people_of(world, two) == people[1:]
    assert world.state(two) is CampaignState.SENDING


def test_a_correction_reaches_whose_copy_was_flying_when_the_old_one_was_cancelled(
    world: World,
) -> None:
    people = world.add_people("a@example.com", "b@example.com")
    one = world.add_campaign()
    world.plan(one)
    claim = world.claim(lease=60)
    flying, _ = world.ids(one)
    world.pass_gate(claim, [flying])
    cancel(world, one)
    two = correct(world, one)
    clock(world).tick()
    record(world, flying, Verdict.SENT)
    with world.database.write() as session:
        gate.release(session, claim, now=world.now, not_before=world.now)
    clock(world).tick()
    assert people_of(world, two) == people[:1]


def test_the_same_correction_is_sent_once(world: World) -> None:
    world.add_people("a@example.com")
    one = world.add_campaign()
    world.plan(one)
    world.pass_gate(world.claim(), world.ids(one))
    record(world, world.ids(one)[0], Verdict.SENT)
    cancel(world, one)
    two = correct(world, one)
    with pytest.raises(AlreadyScheduled, match=f"campaign {two}"):
        correct(world, one)
    world.plan(two)
    with pytest.raises(AlreadyScheduled, match=f"campaign {two}"):
        correct(world, one)
    correct(world, one, "Corrected once more")


def test_a_correction_that_was_cancelled_half_way_goes_to_the_others(world: World) -> None:
    people = world.add_people("a@example.com", "b@example.com")
    one = world.add_campaign()
    world.plan(one)
    world.pass_gate(world.claim(), world.ids(one))
    for delivery_id in world.ids(one):
        record(world, delivery_id, Verdict.SENT)
    cancel(world, one)
    world.now += timedelta(seconds=61)
    clock(world).tick()
    two = correct(world, one)
    world.plan(two)
    claim = world.claim(lease=1)
    world.pass_gate(claim, world.ids(two)[:1])
    record(world, world.ids(two)[0], Verdict.SENT)
    cancel(world, two)
    three = correct(world, one)
    world.now += timedelta(seconds=2)
    clock(world).tick()
    assert people_of(world, three) == people[1:]
