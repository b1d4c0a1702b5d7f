"""Fault 26: a process stopped in the middle of a transaction, whose rows PostgreSQL keeps.

A frozen machine, a host without power, a SIGSTOP: the server hears nothing, and the connection
looks alive for hours.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update

from mailer.campaign.tables import campaigns
from mailer.delivery import claiming, gate
from mailer.delivery.late import queries as late
from mailer.delivery.tables import tallies
from subscribers.database import Database
from subscribers.errors import DatabaseUnavailable
from tests.integration.delivery.conftest import LATE, World


@pytest.fixture
def on_postgres(postgres_url: str):
    database = Database(postgres_url)
    made = World(database=database)
    made.add_newsletter()
    yield made
    database.dispose()


def nobody_waits(session) -> None:
    session.execute(text("SET LOCAL lock_timeout = '2s'"))


def test_fault_26_a_campaigns_row_that_somebody_keeps_stops_no_worker(on_postgres: World):
    world = on_postgres
    world.add_people(*[f"p{n}@example.com" for n in range(4)])
    campaign = world.add_campaign()
    world.plan(campaign, chunk_size=1)
    with world.database.write() as stopped:
        stopped.execute(update(campaigns).values(served_at=world.now))
        for _ in range(2):
            with world.database.write() as session:
                nobody_waits(session)
                claim = gate.claim(
                    session,
                    worker="b",
                    now=world.now,
                    lease=timedelta(seconds=60),
                    late_after=LATE,
                )
                assert claim is not None
            assert world.pass_gate(claim, world.ids(campaign)).stop is False
            with world.database.write() as session:
                nobody_waits(session)
                gate.release(session, claim, now=world.now, not_before=world.now)
                late.keep_alive(session, now=world.now, late_after=LATE)
    # What was let be is done the next time.
    later = world.now + timedelta(minutes=1)
    with world.database.write() as session:
        late.keep_alive(session, now=later, late_after=LATE)
    with world.database.read() as session:
        assert session.execute(select(campaigns.c.alive_at)).scalar_one() == later


@pytest.mark.parametrize("step", ["served", "alive"])
def test_fault_26_who_keeps_a_campaigns_row_lets_others_refer_to_it(
    on_postgres: World, step: str
) -> None:
    campaign = on_postgres.add_campaign()
    on_postgres.plan(campaign)
    later = on_postgres.now + timedelta(minutes=1)
    told = {"lane": "other", "worker": "b", "tried": 1, "hard": 0, "refused": 0}
    with on_postgres.database.write() as stopped:
        if step == "served":
            claiming.SERVED.run(stopped, the_campaign=campaign, the_now=later)
        else:
            late.keep_alive(stopped, now=later, late_after=LATE)
        with on_postgres.database.write() as session:
            nobody_waits(session)
            session.execute(insert(tallies).values(campaign_id=campaign, **told))


def test_fault_26_rows_are_let_go_after_a_lease(postgres_url: str, on_postgres: World):
    """And who wakes is told that the database was lost, as after a restart of its server."""
    campaign = on_postgres.add_campaign()
    sleeper = Database(postgres_url, idle_seconds=0.5)
    others = on_postgres.database

    def sleep() -> None:
        with sleeper.write() as stopped:
            stopped.execute(update(campaigns).values(subject="by the sleeper"))
            with others.write() as session:
                session.execute(text("SET LOCAL lock_timeout = '10s'"))
                session.execute(update(campaigns).values(subject="by another"))
            time.sleep(0.1)
            stopped.execute(select(campaigns.c.id))

    try:
        with pytest.raises(DatabaseUnavailable):
            sleep()
        with others.read() as session:
            subject = select(campaigns.c.subject).where(campaigns.c.id == campaign)
            assert session.execute(subject).scalar_one() == "by another"
        # It goes on, on a connection of its own.
        with sleeper.write() as session:
            session.execute(update(campaigns).values(subject="awake"))
    finally:
        sleeper.dispose()


def test_a_commands_reader_may_take_its_time(on_postgres: World):
    with on_postgres.database.read() as session:
        shown = session.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
    assert shown == "0"
