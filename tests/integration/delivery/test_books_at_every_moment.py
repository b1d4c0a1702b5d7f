"""The books while others write: planners, people who come back, reports that come in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from mailer.campaign import queries as campaign_queries
from mailer.delivery import gate, ledger
from mailer.delivery import plan as planning
from mailer.delivery.late.queries import keep_alive
from mailer.delivery.model import Verdict
from mailer.delivery.plan import _fix_bound, _plan_range
from mailer.delivery.repair import queries as repair
from mailer.delivery.retry import RetryPolicy, decide
from mailer.delivery.snapshot.queries import Written
from mailer.delivery.tables import deliveries
from mailer.report import queries as report_queries
from subscribers.tables import subscriptions
from tests.integration.delivery.conftest import LATE, World

POLICY = RetryPolicy(
    first=timedelta(seconds=1), most=timedelta(seconds=10), give_up_after=timedelta(hours=1)
)


@contextmanager
def behind_each_statement(world: World, does: Callable[[], object]) -> Iterator[None]:
    """Let something happen, in another connection, after each statement of this thread."""
    mine = threading.current_thread()
    busy = False

    def after(*_: Any) -> None:
        nonlocal busy
        if threading.current_thread() is mine and not busy:
            busy = True
            does()
            busy = False

    event.listen(world.database.engine, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(world.database.engine, "after_cursor_execute", after)


def test_the_books_balance_while_a_clock_plans(world: World) -> None:
    world.add_people(*(f"p{n}@example.com" for n in range(40)))
    campaign = world.add_campaign()
    with world.database.write() as session:
        campaign_queries.start_due(session, now=world.now, late_after=LATE)
    with world.database.write() as session:
        _fix_bound(session, campaign)

    def plan_some() -> None:
        _plan_range(world.database, campaign, now=world.now, chunk_size=5, size=5)

    with behind_each_statement(world, plan_some), world.database.read() as session:
        found = report_queries.discrepancies(session, campaign)
    assert found == []
    assert world.ids(campaign)  # it did plan meanwhile


def test_whose_pause_ends_while_the_snapshot_is_written_pushes_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.now = datetime.now(UTC)
    first, *_ = people = world.add_people(*(f"p{n}@example.com" for n in range(7)))
    campaign = world.add_campaign()
    ends = world.now + timedelta(seconds=1)
    with world.database.write() as session:
        session.execute(
            update(subscriptions)
            .where(subscriptions.c.subscriber_id == first)
            .values(paused_until=ends)
        )
    written = planning.write_range

    def late(*args: Any, **options: Any) -> Written:
        # SQLite's clock shows whole seconds.
        while datetime.now(UTC) < ends + timedelta(seconds=1):
            time.sleep(0.1)
        return written(*args, **options)

    monkeypatch.setattr(planning, "write_range", late)
    world.plan(campaign, chunk_size=2, range_size=3)
    with world.database.read() as session:
        got = sorted(
            session.execute(
                select(deliveries.c.subscriber_id).where(deliveries.c.campaign_id == campaign)
            ).scalars()
        )
        assert campaign_queries.get(session, campaign).audience == len(got)
    assert got == people[1:]


@pytest.mark.parametrize("verdict", [Verdict.DEFERRED, Verdict.FAILED])
def test_what_is_heard_of_while_the_second_try_flies_is_not_tried_a_third_time(
    world: World, verdict: Verdict
) -> None:
    world.add_people("a@example.com")
    campaign = world.add_campaign()
    world.plan(campaign)
    [copy] = world.ids(campaign)
    lost = world.claim(lease=1)
    world.pass_gate(lost, [copy])
    world.now += timedelta(minutes=20)
    with world.database.write() as session:
        keep_alive(session, now=world.now, late_after=LATE)
    held = world.claim()
    with world.database.write() as session:
        gate.release(session, held, now=world.now, not_before=world.now)
        repair.put_back(session, campaign, "unknown", why="x", now=world.now, not_before=world.now)
    second = world.claim()
    [intent] = world.pass_gate(second, [copy]).intents
    assert intent.attempt == 2
    # The first did arrive: its provider says so just now.
    with world.database.write() as session:
        session.execute(update(deliveries).values(later="delivered", later_at=world.now))
        assert not ledger.settle(session, copy, at=world.now, evidence="delivered")
    told = world.outcome(copy, verdict, attempt=2, code=451 if verdict == "deferred" else 550)
    with world.database.write() as session:
        ledger.record_outcomes(
            session, [decide(told, first_at=world.now, policy=POLICY)], now=world.now
        )
        gate.release(session, second, now=world.now, not_before=world.now)
    assert world.states(campaign) == ["sent"]
    world.now += timedelta(minutes=1)
    assert world.claim() is None
