"""What events change: every pair of the table, and what must never happen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from subscribers.event import Event, EventType, Hardness
from subscribers.lifecycle import TABLE, Count, Policy, Signal, decide, faded, signal
from subscribers.model import Status
from subscribers.reason import ABOUT_ADDRESS, Reason

POLICY = Policy(soft_bounce_limit=3, double_opt_in=True)
PLACES = (None, *Status)
#: Who said no, or whom no mail reaches.
GONE = {Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED}


def event(
    kind: EventType, hardness: Hardness | None = None, reason: Reason = Reason.NO_SUCH_USER
) -> Event:
    return Event(
        type=kind,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
        source_id="1",
        hardness=hardness,
        reason=reason,
    )


def events() -> list[Event]:
    return [
        event(kind, hardness, reason)
        for kind, hardness, reason in product(EventType, (None, *Hardness), Reason)
    ]


def test_the_table_has_every_pair_and_no_other() -> None:
    assert set(TABLE) == set(product(PLACES, Signal))


def test_every_event_gets_an_answer_in_words() -> None:
    for status, one in product(PLACES, events()):
        change = decide(status, one, POLICY)
        assert change.words
        nothing = (change.status, change.count, change.suppress, change.consent)
        if change.words.startswith("ignored: "):
            assert nothing == (None, Count.KEEP, False, None)


def test_only_the_person_brings_back_who_is_gone() -> None:
    for status, one in product(GONE, events()):
        after = decide(status, one, POLICY).status
        if after not in (None, *GONE):
            assert one.type is EventType.SUBSCRIBED
            assert after is Status.PENDING


def test_nothing_reported_undoes_a_complaint() -> None:
    for one in events():
        change = decide(Status.COMPLAINED, one, POLICY)
        assert change.status is None
        assert change.words.startswith("ignored: ")


def test_a_bounce_that_is_not_about_the_address_counts_against_nobody() -> None:
    for status, hardness, reason in product(PLACES, (None, *Hardness), set(Reason) - ABOUT_ADDRESS):
        if reason is Reason.UNKNOWN:
            continue
        change = decide(status, event(EventType.BOUNCED, hardness, reason), POLICY)
        assert change.words == f"ignored: {reason} is not about the address"


@pytest.mark.parametrize(
    ("hardness", "reason", "meaning"),
    [
        pytest.param(Hardness.HARD, Reason.NO_SUCH_USER, Signal.HARD_BOUNCE, id="hard"),
        pytest.param(Hardness.SOFT, Reason.NO_SUCH_USER, Signal.SOFT_BOUNCE, id="soft"),
        pytest.param(None, Reason.NO_SUCH_USER, Signal.SOFT_BOUNCE, id="nobody said which"),
        pytest.param(Hardness.HARD, Reason.MAILBOX_FULL, Signal.SOFT_BOUNCE, id="full, said hard"),
        pytest.param(Hardness.HARD, Reason.UNKNOWN, Signal.SOFT_BOUNCE, id="hard without a why"),
        pytest.param(Hardness.SOFT, Reason.UNKNOWN, Signal.NOISE, id="soft without a why"),
        pytest.param(Hardness.HARD, Reason.SPAM, Signal.NOISE, id="spam"),
    ],
)
def test_what_a_bounce_means(hardness: Hardness | None, reason: Reason, meaning: Signal) -> None:
    assert signal(event(EventType.BOUNCED, hardness, reason)) is meaning


def test_a_hard_bounce_and_a_complaint_suppress_whoever_is_still_mailed() -> None:
    for status in (Status.ACTIVE, Status.PENDING):
        bounced = decide(status, event(EventType.BOUNCED, Hardness.HARD), POLICY)
        assert (bounced.status, bounced.suppress) == (Status.BOUNCED, True)
        spam = decide(status, event(EventType.COMPLAINED), POLICY)
        assert (spam.status, spam.suppress, spam.consent) == (Status.COMPLAINED, True, "withdrawn")


def test_soft_bounces_count_up_to_the_limit_and_suppress_nothing() -> None:
    soft = event(EventType.BOUNCED, Hardness.SOFT)
    changes = [decide(Status.ACTIVE, soft, POLICY, soft_bounces=before) for before in range(3)]
    assert [change.status for change in changes] == [None, None, Status.BOUNCED]
    assert not any(change.suppress for change in changes)
    assert decide(Status.ACTIVE, event(EventType.DELIVERED), POLICY).count is Count.RESET


def test_without_double_opt_in_asking_is_enough() -> None:
    policy = Policy(soft_bounce_limit=3, double_opt_in=False)
    change = decide(None, event(EventType.SUBSCRIBED), policy)
    assert (change.status, change.consent) == (Status.ACTIVE, "given")
    assert decide(None, event(EventType.SUBSCRIBED), POLICY).status is Status.PENDING


@pytest.mark.parametrize(
    ("days", "left"), [(-3, 4), (0, 4), (29, 4), (30, 3), (75, 2), (120, 0), (9_999, 0)]
)
def test_one_soft_bounce_is_forgotten_a_month(days: int, left: int) -> None:
    last = datetime(2026, 1, 1, tzinfo=UTC)
    assert faded(4, last, POLICY, now=last + timedelta(days=days)) == left


def test_without_a_time_nothing_fades() -> None:
    assert faded(4, None, POLICY, now=datetime(2026, 1, 1, tzinfo=UTC)) == 4
