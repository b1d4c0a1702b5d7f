"""When a copy is tried again, and when no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery.model import Outcome, Phase, Verdict
from mailer.delivery.refusals import IN_A_ROW, Suspicion
from mailer.delivery.retry import TREATMENTS, RetryPolicy, decide, is_put_off, treatment
from subscribers.reason import ABOUT_ADDRESS, Reason

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
POLICY = RetryPolicy(
    first=timedelta(seconds=60), most=timedelta(hours=1), give_up_after=timedelta(hours=48)
)


def outcome(
    verdict: Verdict,
    *,
    attempt: int = 1,
    delivery_id: int = 7,
    code: int = 0,
    reason: Reason = Reason.UNKNOWN,
    phase: Phase = Phase.RCPT,
) -> Outcome:
    return Outcome(
        delivery_id=delivery_id,
        attempt=attempt,
        verdict=verdict,
        phase=phase,
        at=NOW,
        code=code,
        reason=reason,
    )


#: What each reason asks for, written out a second time by hand: 4xx, then 5xx.
EXPECTED = {
    "no-such-user": ("retry-slowly", "suppress"),
    "no-such-domain": ("retry-slowly", "suppress"),
    "disabled": ("retry-soon", "give-up"),
    "moved": ("retry-slowly", "suppress"),
    "bad-address": ("retry-slowly", "suppress"),
    "mailbox-full": ("retry-slowly", "give-up"),
    "too-big": ("retry-slowly", "give-up"),
    "policy": ("slow-lane", "give-up"),
    "spam": ("retry-slowly", "give-up"),
    "authentication": ("retry-slowly", "give-up"),
    "reputation": ("slow-lane", "slow-lane"),
    "rate": ("slow-lane", "slow-lane"),
    "greylisted": ("retry-soon", "give-up"),
    "system": ("retry-soon", "give-up"),
    "network": ("retry-soon", "give-up"),
    "relay": ("retry-slowly", "pause"),
    "protocol": ("retry-soon", "give-up"),
    "unknown": ("retry-soon", "give-up"),
}


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_treatment(reason: Reason, hard: bool) -> None:
    verdict = Verdict.FAILED if hard else Verdict.DEFERRED
    told = outcome(verdict, code=550 if hard else 450, reason=reason)
    assert treatment(told) == EXPECTED[reason][hard]


def test_only_what_is_about_the_address_suppresses_it() -> None:
    suppressing = {reason for reason, both in TREATMENTS.items() if both.for_good == "suppress"}
    assert suppressing == ABOUT_ADDRESS - {Reason.MAILBOX_FULL, Reason.DISABLED}
    assert not [reason for reason, both in TREATMENTS.items() if both.passing == "suppress"]


@pytest.mark.parametrize("verdict", [Verdict.SENT, Verdict.UNKNOWN])
def test_what_left_or_may_have_left_is_not_treated(verdict: Verdict) -> None:
    assert treatment(outcome(verdict, code=250)) is None


@pytest.mark.parametrize(
    ("reason", "at_least", "at_most"),
    [(Reason.GREYLISTED, 60, 75), (Reason.MAILBOX_FULL, 900, 1125), (Reason.RATE, 900, 1125)],
)
def test_haste_only_where_it_helps(reason: Reason, at_least: int, at_most: int) -> None:
    told = outcome(Verdict.DEFERRED, code=450, reason=reason)
    due_at = decide(told, first_at=NOW, policy=POLICY).due_at
    assert due_at
    assert at_least <= (due_at - NOW).total_seconds() <= at_most


def test_what_is_not_the_providers_doing_makes_no_storm() -> None:
    counted = {reason for reason in Reason if is_put_off(outcome(Verdict.DEFERRED, reason=reason))}
    assert counted == {*Reason} - {Reason.GREYLISTED, Reason.NETWORK, Reason.RELAY}


def refused(phase: Phase, code: int = 550) -> Outcome:
    return outcome(Verdict.DEFERRED, code=code, reason=Reason.RELAY, phase=phase)


def test_a_sender_refused_before_any_recipient_is_named_holds_the_campaign_at_once() -> None:
    assert Suspicion().weigh(1, refused(Phase.MAIL))


def test_one_recipient_on_the_relays_own_list_holds_nothing() -> None:
    suspicion = Suspicion()
    for _ in range(10):
        assert not suspicion.weigh(1, refused(Phase.RCPT))
        assert not suspicion.weigh(1, outcome(Verdict.SENT, code=250))


def test_refusals_in_a_row_hold_their_campaign_and_are_then_counted_anew() -> None:
    suspicion = Suspicion()
    told = [suspicion.weigh(1, refused(Phase.RCPT)) for _ in range(2 * IN_A_ROW)]
    assert told == ([False] * (IN_A_ROW - 1) + [True]) * 2
    assert not suspicion.weigh(2, refused(Phase.RCPT))


def test_a_quota_that_passes_holds_nothing() -> None:
    suspicion = Suspicion()
    assert not any(suspicion.weigh(1, refused(Phase.MAIL, 450)) for _ in range(10))


@pytest.mark.parametrize("verdict", [Verdict.SENT, Verdict.FAILED, Verdict.UNKNOWN])
def test_what_is_over_is_not_tried_again(verdict: Verdict) -> None:
    decision = decide(outcome(verdict), first_at=NOW, policy=POLICY)
    assert decision.due_at is None
    assert decision.outcome.verdict is verdict


@pytest.mark.parametrize(
    ("attempt", "at_least"), [(1, 60), (2, 120), (3, 240), (7, 3600), (500, 3600)]
)
def test_the_delay_doubles_up_to_the_most(attempt: int, at_least: int) -> None:
    decision = decide(outcome(Verdict.DEFERRED, attempt=attempt), first_at=NOW, policy=POLICY)
    assert decision.due_at
    delay = (decision.due_at - NOW).total_seconds()
    assert at_least <= delay <= at_least * 1.25


def test_a_thousand_greylisted_together_do_not_come_back_together() -> None:
    dues = {
        decide(outcome(Verdict.DEFERRED, delivery_id=n), first_at=NOW, policy=POLICY).due_at
        for n in range(1000)
    }
    assert len(dues) > 500


def test_after_its_time_a_copy_has_failed() -> None:
    decision = decide(outcome(Verdict.DEFERRED), first_at=NOW - timedelta(hours=48), policy=POLICY)
    assert decision.outcome.verdict is Verdict.FAILED
    assert decision.due_at is None


@given(
    attempt=st.integers(1, 10_000),
    delivery_id=st.integers(1, 2**62),
    age=st.integers(0, 10**6),
)
def test_a_copy_is_either_tried_later_or_over(attempt: int, delivery_id: int, age: int) -> None:
    decision = decide(
        outcome(Verdict.DEFERRED, attempt=attempt, delivery_id=delivery_id),
        first_at=NOW - timedelta(seconds=age),
        policy=POLICY,
    )
    if decision.outcome.verdict is Verdict.DEFERRED:
        assert decision.due_at
        assert decision.due_at > NOW
    else:
        assert decision.due_at is None
