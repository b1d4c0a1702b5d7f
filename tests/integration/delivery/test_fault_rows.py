"""Rows of the fault matrix between a sender and its relay, its broker and its provider.

A whole sender and a clock work on a campaign; what the server took, joined with the ledger, is
the judge.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from mailer.delivery import ledger
from mailer.delivery.tables import chunks, deliveries, pacing
from mailer.settings import RelaySettings, SendingSettings, Settings
from subscribers.database import Database
from subscribers.tables import subscribers
from tests import stacks
from tests.integration.delivery.conftest import World
from tests.integration.delivery.test_send import QUICK, Plant, over
from tests.services.sink_session import Answer
from tests.services.thread_sink import LOST, TAKEN_AND_LOST, ThreadSink

#: So long it waits for a reply here.
PATIENCE = 2.0


@pytest.fixture
def sink() -> Iterator[ThreadSink]:
    made = ThreadSink()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def here(stack: stacks.Stack) -> Iterator[World]:
    made = World(database=Database(stack.database_url), now=datetime.now(UTC))
    made.add_newsletter()
    yield made
    made.database.dispose()


def people(world: World, count: int, domain: str = "example.com") -> list[str]:
    names = [f"p{n}@{domain}" for n in range(count)]
    world.add_people(*names)
    return names


def told(world: World, *sinks: ThreadSink, **sending: object) -> Settings:
    # Of two, the first is chosen three times in four.
    relays = {
        f"relay{n}": RelaySettings(port=sink.port, connections=4, weight=1 if n else 3)
        for n, sink in enumerate(sinks)
    }
    return Settings(
        database_url=world.database.url,
        relays=relays,
        sending=SendingSettings(
            **{**QUICK.model_dump(), "chunk_size": 10, "reply_timeout": PATIENCE, **sending}
        ),
    )


def judge(world: World, campaign: int, *sinks: ThreadSink) -> dict[str, str]:
    """Check the books against the servers'; gives each person's state."""
    took = Counter[str]()
    for sink in sinks:
        took += sink.copies()
    with world.database.read() as session:
        balance = ledger.balance(session, campaign)
        rows = session.execute(
            select(subscribers.c.address, deliveries.c.state)
            .join(deliveries, deliveries.c.subscriber_id == subscribers.c.id)
            .where(deliveries.c.campaign_id == campaign)
        ).all()
    assert balance.closed
    assert balance.balances
    for row in rows:
        may = {"sent": {1}, "unknown": {0, 1}}.get(row.state, {0})
        assert took[row.address] in may, row
    return {row.address: row.state for row in rows}


# -- the broker ----------------------------------------------------------------------------------


@stacks.on(*stacks.ALL)
def test_fault_12_the_broker_delivers_twice_and_out_of_order(
    here: World, stack: stacks.Stack, sink: ThreadSink
) -> None:
    people(here, 150)
    campaign = here.add_campaign()
    here.plan(campaign, chunk_size=10)
    with here.database.read() as session:
        ids = [*session.execute(select(chunks.c.id)).scalars()] * 4
    random.Random(7).shuffle(ids)
    with Plant(here, told(here, sink), stack.broker_url) as plant:
        for chunk in ids:
            plant.waker.wake(chunk)
        plant.wait(over(here, campaign))
        for chunk in ids:
            plant.waker.wake(chunk)
        plant.wait(lambda: plant.sender._offered.empty())
    assert set(judge(here, campaign, sink).values()) == {"sent"}


@stacks.on(stacks.EMBEDDED)
def test_fault_10_the_broker_in_the_process_forgets_everything(
    here: World, sink: ThreadSink
) -> None:
    people(here, 200)
    campaign = here.add_campaign()
    with Plant(here, told(here, sink)) as plant:
        for goal in (20, 100):
            plant.wait(lambda goal=goal: len(sink.kept) >= goal)
            plant.waker._broker.flush_all()
        plant.wait(over(here, campaign))
    assert set(judge(here, campaign, sink).values()) == {"sent"}


# -- the relay -----------------------------------------------------------------------------------

#: What the server does to one person, the first time; and how it ends for them.
TROUBLES: dict[str, tuple[str, tuple[str | Answer, ...], set[str]]] = {
    "fault 17: 421 to the dot": ("dot", ("421 4.3.2 going down",), {"sent"}),
    "fault 19: lost before it is taken": ("dot", (LOST,), {"unknown"}),
    "fault 19: lost after it is taken": ("dot", (TAKEN_AND_LOST,), {"unknown"}),
    "fault 20: 250 comes late": ("dot", (Answer(after=PATIENCE / 4),), {"sent"}),
    "fault 20: 250 comes too late": ("dot", (Answer(after=PATIENCE * 1.5),), {"unknown"}),
    "fault 22: greylisted twice": ("RCPT", ("451 4.7.1 greylisted", "450 4.2.0 wait"), {"sent"}),
    "fault 22: 452 to the dot": ("dot", ("452 4.3.1 no space",), {"sent"}),
    "fault 24: garbage to the dot": ("dot", (Answer(words=b"\x00\xff\r\n"),), {"unknown"}),
    "fault 24: two replies to the dot": (
        "dot",
        (Answer(words=b"250 2.0.0 ok\r\n250 2.0.0 ok\r\n"),),
        {"sent"},
    ),
}


@pytest.mark.parametrize(("moment", "ends", "states"), TROUBLES.values(), ids=TROUBLES)
@stacks.on(stacks.EMBEDDED)
def test_trouble_with_one_copy(
    here: World,
    sink: ThreadSink,
    moment: str,
    ends: tuple[str | Answer, ...],
    states: set[str],
) -> None:
    """The ledger says of it what is so; of its neighbours in the window, at worst `unknown`."""
    names = people(here, 40)
    sink.tell(moment, names[20], *ends)
    campaign = here.add_campaign()
    with Plant(here, told(here, sink)) as plant:
        plant.wait(over(here, campaign))
    found = judge(here, campaign, sink)
    assert found.pop(names[20]) in states
    assert set(found.values()) <= {"sent", "unknown"}
    # No more than flew on the one connection.
    assert [*found.values()].count("unknown") < QUICK.max_open_intents


@stacks.on(stacks.EMBEDDED)
def test_fault_21_a_relay_that_hangs_holds_up_nobody_for_long(
    here: World, sink: ThreadSink
) -> None:
    """One of two never answers a body; what has a copy there is known at the deadline."""
    stuck = ThreadSink(hangs_at="body")
    stuck.start()
    people(here, 60)
    people(here, 60, "gmail.com")
    campaign = here.add_campaign()
    try:
        with Plant(here, told(here, sink, stuck)) as plant:
            plant.wait(over(here, campaign), 40)
    finally:
        stuck.stop()
    states = judge(here, campaign, sink, stuck)
    assert stuck.kept == []
    assert set(states.values()) <= {"sent", "unknown"}
    assert {name.partition("@")[2] for name in sink.copies()} == {"example.com", "gmail.com"}


@stacks.on(stacks.EMBEDDED)
def test_fault_23_a_storm_in_one_lane_leaves_the_others_alone(
    here: World, sink: ThreadSink
) -> None:
    """Everybody else has their copy while the stormy lane waits, slowed down."""
    others = people(here, 100)
    for name in people(here, 100, "gmail.com"):
        sink.tell("RCPT", name, *["421 4.7.28 too many messages, slow down"] * 50)
    here.add_campaign()
    with Plant(here, told(here, sink)) as plant:
        plant.wait(lambda: set(others) <= set(sink.copies()))
        tried = len(sink.said)
        with here.database.read() as session:
            slowed = session.execute(select(pacing.c.lane).where(pacing.c.rate.is_not(None)))
            assert [*slowed.scalars()] == ["gmail"]
        sink.forgive()
    assert {name for name, _ in sink.said} <= {f"p{n}@gmail.com" for n in range(100)}
    assert 0 < tried < 100
    assert sink.copies().total() == len(sink.copies())
