"""Put-backs against releases and endings, on both databases: no copy is forgotten."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.model import CampaignState
from mailer.delivery import gate, grants, ledger
from mailer.delivery.model import Verdict
from mailer.delivery.pace import Limits
from mailer.delivery.plan import add_joined
from mailer.delivery.repair import queries as repair
from mailer.delivery.retry import RetryPolicy, decide
from mailer.delivery.tables import chunks, deliveries
from mailer.errors import AlreadyScheduled
from tests.integration.delivery.conftest import LATE, World, simple_rendering

POLICY = RetryPolicy(
    first=timedelta(seconds=1), most=timedelta(seconds=10), give_up_after=timedelta(hours=1)
)


def _due(world):
    with world.database.read() as s:
        return [*s.execute(select(chunks.c.due_at)).scalars()]


def test_again_while_first_is_only_scheduled(world: World):
    world.add_people("a@example.com", "b@example.com")
    now = world.now
    with world.database.write() as s:
        from subscribers import queries as people

        nl = people.newsletter(s, world.newsletter_id)
        one = scheduling.schedule(
            s,
            simple_rendering(),
            newsletter=nl,
            issue_number=7,
            due_at=now + timedelta(minutes=10),
            timezone="UTC",
            now=now,
        )
    with world.database.write() as s, pytest.raises(AlreadyScheduled, match=f"campaign {one} of"):
        scheduling.schedule(
            s,
            simple_rendering(),
            newsletter=nl,
            issue_number=7,
            due_at=now,
            timezone="UTC",
            again=True,
            now=now,
        )


def test_joined_since_after_again(world: World):
    world.add_people("a@example.com")
    one = world.add_campaign()
    world.plan(one)
    claim = world.claim()
    ids = world.ids(one)
    world.pass_gate(claim, ids)
    with world.database.write() as s:
        ledger.record_outcomes(
            s,
            [decide(world.outcome(ids[0], Verdict.SENT), first_at=world.now, policy=POLICY)],
            now=world.now,
        )
        gate.release(s, claim, now=world.now, not_before=world.now)
        ledger.finish_complete(s, now=world.now)
    world.add_people("b@example.com")
    two = world.add_campaign(edition=1, leave_out=(one,))
    world.plan(two)
    added = add_joined(world.database, one, now=world.now, chunk_size=500)
    with world.database.read() as s:
        rows = s.execute(select(deliveries.c.campaign_id, deliveries.c.subscriber_id)).all()
    assert added == 0, rows


def test_unknown_put_back_then_skipped_or_cancelled_is_forgotten(world: World):
    (person,) = world.add_people("a@example.com")
    one = world.add_campaign()
    world.plan(one)
    world.claim(lease=1)
    ids = world.ids(one)
    world.claim()
    # first claim held; let it fly then lose the worker
    world.now += timedelta(seconds=2)
    c1 = world.claim(lease=1)
    world.pass_gate(c1, ids)
    world.now += timedelta(seconds=2)
    c2 = world.claim(lease=1)
    assert world.states(one) == ["unknown"]
    with world.database.write() as s:
        gate.release(s, c2, now=world.now, not_before=world.now)
        assert repair.put_back(s, one, "unknown", why="x", now=world.now, not_before=world.now) == 1
    world.set_status(person, "unsubscribed")
    c3 = world.claim()
    world.pass_gate(c3, ids)
    st = world.states(one)
    with world.database.write() as s:
        settled = ledger.settle(s, ids[0], at=world.now, evidence="delivered reported")
    assert st != ["skipped"] or settled


@pytest.fixture
def pg(world):
    if world.database.is_sqlite:
        pytest.skip("postgres only")
    return world


def _at_once(world, first, second):
    """`first` has done its statements and not committed when `second` comes; then both commit."""
    held = threading.Event()

    def one():
        with world.database.write() as s:
            first(s)
            held.set()
            time.sleep(0.6)

    def two():
        held.wait()
        with world.database.write() as s:
            second(s)

    ts = [threading.Thread(target=f) for f in (one, two)]
    [t.start() for t in ts]
    [t.join(15) for t in ts]


def _unknown_held_by_b(world):
    world.add_people("a@example.com")
    one = world.add_campaign()
    world.plan(one)
    ids = world.ids(one)
    a = world.claim(lease=1, worker="a")
    world.pass_gate(a, ids, worker="a")
    world.now += timedelta(seconds=2)
    b = world.claim(lease=60, worker="b")
    return one, ids, b


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize("what", ["late", "put_back", "policy"])
def test_release_races(pg: World, order, what):
    world = pg
    one, ids, b = _unknown_held_by_b(world)

    def back(s):
        if what == "late":
            ledger.record_outcomes(
                s,
                [
                    decide(
                        world.outcome(ids[0], Verdict.DEFERRED, code=451),
                        first_at=world.now,
                        policy=POLICY,
                    )
                ],
                now=world.now,
            )
        elif what == "put_back":
            repair.put_back(s, one, "unknown", why="x", now=world.now, not_before=world.now)
        else:
            ledger.requeue_unknown(
                s, one, now=world.now, not_before=world.now, tried_since=world.now - LATE
            )

    def rel(s):
        gate.release(s, b, now=world.now, not_before=world.now)

    _at_once(world, *((back, rel) if order == "ab" else (rel, back)))
    with world.database.write() as s:
        ledger.finish_complete(s, now=world.now)
    assert world.state(one) != CampaignState.FINISHED
    assert _due(world) != [None]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_finish_races(pg: World, order):
    world = pg
    one, _ids, b = _unknown_held_by_b(world)
    with world.database.write() as s:
        gate.release(s, b, now=world.now, not_before=world.now)

    def back(s):
        repair.put_back(s, one, "unknown", why="x", now=world.now, not_before=world.now)

    def fin(s):
        ledger.finish_complete(s, now=world.now)

    _at_once(world, *((back, fin) if order == "ab" else (fin, back)))
    assert world.state(one) != CampaignState.FINISHED


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_copy_put_off_while_its_cancelled_campaign_is_closed(pg: World, order):
    world = pg
    world.add_people("a@example.com")
    one = world.add_campaign()
    world.plan(one)
    world.pass_gate(world.claim(lease=1), ids := world.ids(one))
    with world.database.write() as s:
        campaign_queries.cancel(s, one, now=world.now)
    world.now += timedelta(seconds=2)

    def late(s):
        told = world.outcome(ids[0], Verdict.DEFERRED, code=451)
        ledger.record_outcomes(s, [decide(told, first_at=world.now, policy=POLICY)], now=world.now)

    def close(s):
        ledger.cancel_waiting(s, one, now=world.now)

    _at_once(world, *((late, close) if order == "ab" else (close, late)))
    with world.database.write() as s:
        close(s)
    assert world.states(one) == ["cancelled"]
    assert _due(world) == [None]


def test_finish_races_with_add_joined(pg: World):
    world = pg
    one, _ids, b = _unknown_held_by_b(world)
    with world.database.write() as s:
        gate.release(s, b, now=world.now, not_before=world.now)
    world.add_people("late@example.com")
    done = []
    # add_joined in a thread, held before its commit
    go, held = threading.Event(), threading.Event()

    def slow(conn):
        if threading.current_thread().name == "joiner" and not held.is_set():
            held.set()
            go.wait(10)

    event.listen(world.database.engine, "commit", slow)
    t = threading.Thread(
        name="joiner",
        target=lambda: done.append(add_joined(world.database, one, now=world.now, chunk_size=500)),
    )
    t.start()
    held.wait(10)

    def finish():
        with world.database.write() as s:
            done.append(ledger.finish_complete(s, now=world.now))

    f = threading.Thread(target=finish)
    f.start()
    time.sleep(0.5)
    go.set()
    t.join()
    f.join()
    assert world.state(one) != CampaignState.FINISHED


def test_a_worker_without_a_connection_spends_nothing(world: World) -> None:
    with world.database.write() as s:
        grants.set_limits(
            s, "default", "gmail", Limits(per_hour=1000, connections=1), now=world.now
        )

    def take(worker: str) -> tuple[int, int | None]:
        with world.database.write() as s:
            given, connections = grants.take(
                s, "default", "gmail", worker=worker, wanted=16, now=world.now
            )
            return given.messages, connections

    assert take("a") == (16, 1)
    for _ in range(20):
        assert take("b") == (0, 0)
        world.now += timedelta(seconds=0.05)
    with world.database.read() as s:
        [(_, _, _, meter)] = grants.every(s)
    assert meter.hour_spent == 16


def test_a_chunk_let_go_while_a_copy_flies_is_looked_at_again(world: World) -> None:
    """Somebody's gate may open between another's claim and release: its copy is not forgotten."""
    world.add_people("a@example.com")
    one = world.add_campaign()
    world.plan(one)
    held = world.claim()
    world.pass_gate(held, world.ids(one))
    with world.database.write() as s:
        gate.release(s, held, now=world.now, not_before=world.now)
        ledger.finish_complete(s, now=world.now)
    assert world.state(one) is CampaignState.SENDING
    assert world.claim() is not None
    assert world.states(one) == ["unknown"]
