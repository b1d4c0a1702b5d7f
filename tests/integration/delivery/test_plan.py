"""The snapshot writes everybody who may receive into the ledger, once, in chunks by lane."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from mailer.campaign import queries as campaign_queries
from mailer.delivery.plan import _fix_bound, _plan_range, plan
from mailer.delivery.tables import chunks, deliveries
from subscribers.errors import DatabaseBusy
from tests.integration.delivery.conftest import LATE, World


def chunk_sizes(world: World) -> dict[str, list[int]]:
    """By lane, how many deliveries lie in each chunk."""
    sizes: dict[str, list[int]] = {}
    with world.database.read() as session:
        rows = session.execute(
            select(chunks.c.lane, chunks.c.size, func.count(deliveries.c.id).label("held"))
            .join(deliveries, deliveries.c.chunk_id == chunks.c.id)
            .group_by(chunks.c.id, chunks.c.lane, chunks.c.size)
        )
        for row in rows:
            assert row.held == row.size
            sizes.setdefault(row.lane, []).append(row.held)
    return {lane: sorted(held, reverse=True) for lane, held in sizes.items()}


def test_everybody_who_may_receive_is_in_one_chunk_of_their_lane(world: World) -> None:
    world.add_people(*(f"g{n}@gmail.com" for n in range(7)))
    world.add_people(*(f"o{n}@example.com" for n in range(4)))
    world.add_people("left@example.com", status="unsubscribed")
    world.add_people("asked@example.com", status="pending")
    campaign = world.add_campaign()
    world.plan(campaign, chunk_size=3)
    assert chunk_sizes(world) == {"gmail": [3, 3, 1], "other": [3, 1]}
    with world.database.read() as session:
        assert campaign_queries.get(session, campaign).audience == 11
    assert world.state(campaign) == "sending"


def test_ranges_add_up_to_the_whole(world: World) -> None:
    world.add_people(*(f"p{n}@{'gmail' if n % 3 else 'web'}.com" for n in range(50)))
    campaign = world.add_campaign()
    world.plan(campaign, chunk_size=4, range_size=7)
    assert len(world.ids(campaign)) == 50


def test_a_newsletter_without_anybody_is_planned_too(world: World) -> None:
    campaign = world.add_campaign()
    world.plan(campaign)
    assert world.state(campaign) == "sending"
    assert world.ids(campaign) == []


def test_a_planner_that_died_is_continued(world: World) -> None:
    world.add_people(*(f"p{n}@example.com" for n in range(20)))
    campaign = world.add_campaign()
    with world.database.write() as session:
        campaign_queries.start_due(session, now=world.now, late_after=LATE)
    with world.database.write() as session:
        _fix_bound(session, campaign)
    assert _plan_range(world.database, campaign, now=world.now, chunk_size=5, size=8)
    world.add_people("late@example.com")  # past the bound
    plan(world.database, campaign, now=world.now, chunk_size=5)
    assert len(world.ids(campaign)) == 20


def test_two_planners_at_once_write_everybody_once(world: World) -> None:
    world.add_people(*(f"p{n}@example.com" for n in range(60)))
    campaign = world.add_campaign()
    with world.database.write() as session:
        campaign_queries.start_due(session, now=world.now, late_after=LATE)

    def run(_: int) -> None:
        for _attempt in range(50):
            try:
                plan(world.database, campaign, now=world.now, chunk_size=5, range_size=4)
            except DatabaseBusy:
                continue
            return

    with ThreadPoolExecutor(3) as pool:
        [*pool.map(run, range(3))]
    assert len(world.ids(campaign)) == 60
    with world.database.read() as session:
        assert campaign_queries.get(session, campaign).audience == 60
    assert world.state(campaign) == "sending"


@pytest.mark.parametrize(
    ("state", "left_out"),
    [
        ("queued", True),
        ("sending", True),
        ("sent", True),
        ("deferred", True),
        ("unknown", True),
        ("failed", False),
        ("skipped", False),
        ("cancelled", False),
    ],
)
def test_again_leaves_out_whoever_has_or_may_have_a_copy(
    world: World, state: str, left_out: bool
) -> None:
    world.add_people("a@example.com", "b@example.com")
    first = world.add_campaign()
    world.plan(first)
    with world.database.write() as session:
        session.execute(update(deliveries).where(deliveries.c.id == 1).values(state=state))
    world.add_people("new@example.com")
    second = world.add_campaign(edition=1, leave_out=(first,))
    world.plan(second)
    assert len(world.ids(second)) == (1 if left_out else 2)
