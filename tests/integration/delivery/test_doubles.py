"""What was unknown stays so, and is sent again only within bounds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from mailer.campaign import queries as cq
from mailer.delivery import gate, ledger
from mailer.delivery.late import queries as late_queries
from mailer.delivery.model import Verdict
from mailer.delivery.repair import queries as repair
from mailer.delivery.retry import RetryPolicy, decide
from subscribers.errors import PressrunError
from subscribers.tables import newsletters
from tests.integration.delivery.conftest import LATE, World

POLICY = RetryPolicy(
    first=timedelta(seconds=1), most=timedelta(seconds=10), give_up_after=timedelta(hours=1)
)


def test_put_back_in_a_cancelled_campaign(world: World):
    world.add_people("a@example.com")
    one = world.add_campaign()
    world.plan(one)
    ids = world.ids(one)
    a = world.claim(lease=1)
    world.pass_gate(a, ids)
    world.now += timedelta(seconds=2)
    with world.database.write() as s:
        cq.cancel(s, one, now=world.now)
    with world.database.write() as s:
        ledger.cancel_waiting(s, one, now=world.now)
    assert world.states(one) == ["unknown"]
    with world.database.write() as s, pytest.raises(PressrunError, match="cancelled"):
        repair.put_back(s, one, "unknown", why="x", now=world.now, not_before=world.now)
    assert world.states(one) == ["unknown"]


def test_policy_resend_sends_again_for_ever(world: World):
    """A relay that takes the message and never answers: each round may be a copy."""
    world.add_people("a@example.com")
    with world.database.write() as s:
        s.execute(update(newsletters).values(unknown_policy="resend"))
    one = world.add_campaign()
    world.plan(one)
    ids = world.ids(one)
    flown = 0
    for _ in range(4 * 24 * 3):
        world.now += timedelta(minutes=1)
        with world.database.write() as s:
            late_queries.pause_late(s, now=world.now, late_after=LATE)
            late_queries.keep_alive(s, now=world.now, late_after=LATE)
            ledger.resend_unknown(s, now=world.now, not_before=world.now - timedelta(minutes=15))
            ledger.finish_complete(s, now=world.now)
        c = world.claim(lease=60)
        if c is None:
            continue
        p = world.pass_gate(c, ids)
        if p.intents:
            flown += 1
            with world.database.write() as s:
                ledger.record_outcomes(
                    s,
                    [
                        decide(
                            world.outcome(
                                ids[0], Verdict.UNKNOWN, attempt=p.intents[0].attempt, code=0
                            ),
                            first_at=world.now,
                            policy=POLICY,
                        )
                    ],
                    now=world.now,
                )
        with world.database.write() as s:
            gate.release(s, c, now=world.now, not_before=world.now)
    assert flown <= 2


def test_read_only_postgres(world: World):
    if world.database.is_sqlite:
        pytest.skip("pg")
    name = world.database.engine.url.database
    with world.database.write() as s:
        s.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    world.database.dispose()
    with pytest.raises(PressrunError):
        world.claim() or world.add_people("x@example.com")
