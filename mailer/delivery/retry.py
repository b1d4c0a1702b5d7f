"""What follows from a refusal, by its reason; whether and when a copy is tried again: pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from mailer.delivery.model import Outcome, Verdict
from subscribers.reason import Reason


class Treatment(StrEnum):
    """What is done about a copy that was not taken."""

    #: It passes by itself, and soon: the usual backing off.
    RETRY_SOON = "retry-soon"
    #: It may pass, but not in minutes.
    RETRY_SLOWLY = "retry-slowly"
    #: This message never arrives there; the address may be in order.
    GIVE_UP = "give-up"
    #: No message ever arrives there.
    SUPPRESS = "suppress"
    #: The provider has enough of us: its whole lane goes slower.
    SLOW_LANE = "slow-lane"
    #: Our own relay refuses us: a person must mend it, and until then each try is in vain.
    PAUSE = "pause"


@dataclass(frozen=True, kw_only=True)
class Treatments:
    """What a reason asks for where the refusal is passing (4xx), and where it is for good."""

    passing: Treatment
    for_good: Treatment


_SOON, _SLOWLY, _SLOWER = Treatment.RETRY_SOON, Treatment.RETRY_SLOWLY, Treatment.SLOW_LANE
_GIVE_UP, _SUPPRESS = Treatment.GIVE_UP, Treatment.SUPPRESS

TREATMENTS: dict[Reason, Treatments] = {
    Reason.NO_SUCH_USER: Treatments(passing=_SLOWLY, for_good=_SUPPRESS),
    Reason.NO_SUCH_DOMAIN: Treatments(passing=_SLOWLY, for_good=_SUPPRESS),
    # Servers say "mailbox busy" with the same 4.2.1; and what is switched off may come back.
    Reason.DISABLED: Treatments(passing=_SOON, for_good=_GIVE_UP),
    Reason.MOVED: Treatments(passing=_SLOWLY, for_good=_SUPPRESS),
    Reason.BAD_ADDRESS: Treatments(passing=_SLOWLY, for_good=_SUPPRESS),
    # Full today is not full for ever: policy counts such bounces.
    Reason.MAILBOX_FULL: Treatments(passing=_SLOWLY, for_good=_GIVE_UP),
    Reason.TOO_BIG: Treatments(passing=_SLOWLY, for_good=_GIVE_UP),
    # Gmail and Outlook throttle with a bare 421 4.7.0.
    Reason.POLICY: Treatments(passing=_SLOWER, for_good=_GIVE_UP),
    Reason.SPAM: Treatments(passing=_SLOWLY, for_good=_GIVE_UP),
    Reason.AUTHENTICATION: Treatments(passing=_SLOWLY, for_good=_GIVE_UP),
    Reason.REPUTATION: Treatments(passing=_SLOWER, for_good=_SLOWER),
    Reason.RATE: Treatments(passing=_SLOWER, for_good=_SLOWER),
    Reason.GREYLISTED: Treatments(passing=_SOON, for_good=_GIVE_UP),
    Reason.SYSTEM: Treatments(passing=_SOON, for_good=_GIVE_UP),
    Reason.NETWORK: Treatments(passing=_SOON, for_good=_GIVE_UP),
    # A quota or a list of users that can't be read now passes; a refused sender does not.
    Reason.RELAY: Treatments(passing=_SLOWLY, for_good=Treatment.PAUSE),
    Reason.PROTOCOL: Treatments(passing=_SOON, for_good=_GIVE_UP),
    Reason.UNKNOWN: Treatments(passing=_SOON, for_good=_GIVE_UP),
}

#: To be put off for these says nothing about how fast the lane may go.
_INNOCENT = frozenset({Reason.GREYLISTED, Reason.NETWORK, Reason.RELAY})


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Backing off doubles from `first` (or `slow`, where haste helps nobody) to `most`.

    After `give_up_after`, the newsletter's own time, the copy has failed.
    """

    first: timedelta
    most: timedelta
    give_up_after: timedelta
    slow: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The outcome as it goes into the ledger, and when the next try is due."""

    outcome: Outcome
    due_at: datetime | None = None


def treatment(outcome: Outcome) -> Treatment | None:
    """What to do about an outcome; None for what was taken, or may have been."""
    if outcome.verdict in (Verdict.SENT, Verdict.UNKNOWN):
        return None
    both = TREATMENTS[outcome.reason]
    return both.for_good if outcome.code >= 500 else both.passing


def slows_lane(reason: Reason, *, for_good: bool) -> bool:
    """Whether what was reported later says that a provider has enough of us."""
    both = TREATMENTS[reason]
    return (both.for_good if for_good else both.passing) is Treatment.SLOW_LANE


def is_put_off(outcome: Outcome) -> bool:
    """Whether an outcome counts towards a storm: many of these in a row slow their lane."""
    return outcome.verdict is Verdict.DEFERRED and outcome.reason not in _INNOCENT


def decide(outcome: Outcome, *, first_at: datetime, policy: RetryPolicy) -> Decision:
    """What follows from an outcome; `first_at` is when the first attempt was made.

    The delay is spread by up to a quarter, by the delivery's own number, so that a thousand
    copies greylisted in one second do not all come back in one second.
    """
    if outcome.verdict is not Verdict.DEFERRED:
        return Decision(outcome=outcome)
    patient = treatment(outcome) in (Treatment.RETRY_SLOWLY, Treatment.SLOW_LANE)
    doublings = min(outcome.attempt - 1, 30)
    delay = min((policy.slow if patient else policy.first) * 2**doublings, policy.most)
    spread = (outcome.delivery_id * 2654435761 % 1000) / 4000
    due_at = outcome.at + delay * (1 + spread)
    if due_at > first_at + policy.give_up_after:
        return Decision(outcome=replace(outcome, verdict=Verdict.FAILED))
    return Decision(outcome=outcome, due_at=due_at)
