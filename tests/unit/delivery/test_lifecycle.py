"""The table of a delivery's states, walked whole."""

from __future__ import annotations

import itertools

import pytest

from mailer.delivery.lifecycle import STEP_OF, TRANSITIONS, Step, before
from mailer.delivery.model import FINAL, DeliveryState, Verdict

#: Everything that may happen, written out a second time by hand: state -> step -> state.
EXPECTED = {
    "queued": {
        "intent": "sending",
        "skip": "skipped",
        "cancel": "cancelled",
        "sent": "sent",
        "proved": "sent",
        "restored": "unknown",
    },
    "deferred": {
        "intent": "sending",
        "skip": "skipped",
        "cancel": "cancelled",
        "sent": "sent",
        "proved": "sent",
        "restored": "unknown",
    },
    "sending": {
        "sent": "sent",
        "deferred": "deferred",
        "failed": "failed",
        "orphaned": "unknown",
    },
    "unknown": {
        "sent": "sent",
        "deferred": "deferred",
        "failed": "failed",
        "proved": "sent",
        "requeue": "queued",
    },
    # By a person alone.
    "failed": {"requeue": "queued"},
}


@pytest.mark.parametrize(
    ("state", "step"), [*itertools.product(DeliveryState, Step)], ids=lambda value: str(value)
)
def test_every_pair(state: DeliveryState, step: Step) -> None:
    assert TRANSITIONS.get((state, step)) == EXPECTED.get(state, {}).get(step)


@pytest.mark.parametrize("state", sorted(FINAL - {DeliveryState.UNKNOWN}))
def test_nothing_leaves_a_final_state_by_itself(state: DeliveryState) -> None:
    assert not [step for known, step in TRANSITIONS if known is state and step != "requeue"]


@pytest.mark.parametrize("step", Step)
def test_a_step_leads_to_one_state_from_wherever(step: Step) -> None:
    assert len({TRANSITIONS[state, step] for state in before(step)}) == 1


def test_every_verdict_has_a_step() -> None:
    assert set(STEP_OF) == set(Verdict)
