"""What is reported of a copy in the very moment in which it becomes unknown is not lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.delivery import gate, ledger
from mailer.delivery.model import Verdict
from mailer.delivery.retry import Decision
from mailer.feedback.apply import apply_events
from mailer.webhooks.model import ReportedEvent
from subscribers.errors import DatabaseBusy
from subscribers.event import EventType
from subscribers.token import make_verp
from tests.integration.delivery.conftest import LATE, World

Does = Callable[[Session], object]


def at_once(world: World, first: Does, second: Does) -> None:
    """`first` has done its statements and not committed when `second` comes; both try again
    where they got in each other's way, as those who call them do."""
    held = threading.Event()

    def run(does: Does, *, hold: bool) -> None:
        while True:
            try:
                with world.database.write() as session:
                    does(session)
                    if hold:
                        held.set()
                        time.sleep(0.6)
                return
            except DatabaseBusy:
                time.sleep(0.1)

    one = threading.Thread(target=lambda: run(first, hold=True))
    one.start()
    held.wait()
    two = threading.Thread(target=lambda: run(second, hold=False))
    two.start()
    one.join(15)
    two.join(15)


@pytest.mark.parametrize("kind", [EventType.DELIVERED, EventType.DEFERRED])
@pytest.mark.parametrize("how", ["orphaned", "told"])
@pytest.mark.parametrize("reported_first", [True, False])
def test_reported_while_it_becomes_unknown(
    world: World, kind: EventType, how: str, reported_first: bool
) -> None:
    if world.database.is_sqlite:
        pytest.skip("one writes after the other there")
    world.add_people("a@example.com")
    campaign = world.add_campaign()
    world.plan(campaign)
    [copy] = world.ids(campaign)
    world.pass_gate(world.claim(lease=1), [copy])
    world.now += timedelta(seconds=2)

    def report(session: Session) -> None:
        told = ReportedEvent(id="1", type=kind, at=world.now, token=make_verp(world.keyring, copy))
        apply_events(session, [(told, "test")], keyring=world.keyring, now=world.now)

    def become_unknown(session: Session) -> None:
        if how == "orphaned":
            gate.claim(
                session,
                worker="b",
                now=world.now,
                lease=timedelta(seconds=60),
                late_after=LATE,
            )
        else:
            lost = Decision(outcome=world.outcome(copy, Verdict.UNKNOWN, code=0))
            ledger.record_outcomes(session, [lost], now=world.now)

    pair = (report, become_unknown) if reported_first else (become_unknown, report)
    at_once(world, *pair)
    assert world.states(campaign) == ["sent"]
