"""How a delivery's state changes: one table."""

from __future__ import annotations

from enum import StrEnum

from mailer.delivery.model import DeliveryState as State
from mailer.delivery.model import Verdict


class Step(StrEnum):
    """What happens to a delivery."""

    #: The gate appended an intent.
    INTENT = "intent"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    #: Its worker is gone and left no outcome.
    ORPHANED = "orphaned"
    SKIP = "skip"
    CANCEL = "cancel"
    #: The database is older than what was sent from it.
    RESTORED = "restored"
    #: The world reports something that proves the copy had left.
    PROVED = "proved"
    #: A person or the policy `resend` puts an unknown copy back; a failed one only a person.
    REQUEUE = "requeue"


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.QUEUED, Step.INTENT): State.SENDING,
    (State.QUEUED, Step.SKIP): State.SKIPPED,
    (State.QUEUED, Step.CANCEL): State.CANCELLED,
    (State.DEFERRED, Step.INTENT): State.SENDING,
    (State.DEFERRED, Step.SKIP): State.SKIPPED,
    (State.DEFERRED, Step.CANCEL): State.CANCELLED,
    # After a restore: it waited when the backup was made, and may have left since.
    (State.QUEUED, Step.RESTORED): State.UNKNOWN,
    (State.DEFERRED, Step.RESTORED): State.UNKNOWN,
    (State.SENDING, Step.SENT): State.SENT,
    (State.SENDING, Step.DEFERRED): State.DEFERRED,
    (State.SENDING, Step.FAILED): State.FAILED,
    (State.SENDING, Step.ORPHANED): State.UNKNOWN,
    # "unknown" was a presumption; the paused worker that wakes up does know.
    (State.UNKNOWN, Step.SENT): State.SENT,
    (State.UNKNOWN, Step.DEFERRED): State.DEFERRED,
    (State.UNKNOWN, Step.FAILED): State.FAILED,
    (State.UNKNOWN, Step.PROVED): State.SENT,
    (State.UNKNOWN, Step.REQUEUE): State.QUEUED,
    # Only by a person at the command line: what refused it has been mended.
    (State.FAILED, Step.REQUEUE): State.QUEUED,
    # An unknown copy was put back, and before it flew again the first try is heard of:
    # it did arrive, so the second must not leave.
    (State.QUEUED, Step.SENT): State.SENT,
    (State.DEFERRED, Step.SENT): State.SENT,
    (State.QUEUED, Step.PROVED): State.SENT,
    (State.DEFERRED, Step.PROVED): State.SENT,
}

#: What each verdict does.
STEP_OF = {
    Verdict.SENT: Step.SENT,
    Verdict.DEFERRED: Step.DEFERRED,
    Verdict.FAILED: Step.FAILED,
    Verdict.UNKNOWN: Step.ORPHANED,
}


def before(step: Step) -> tuple[State, ...]:
    """The states in which the step is possible."""
    return tuple(state for state, known in TRANSITIONS if known is step)
