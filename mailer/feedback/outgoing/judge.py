"""What follows from an endpoint's answer: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from mailer.feedback.outgoing.model import Call, CallState, Endpoint
from mailer.outgoing_settings import OutgoingSettings

#: The longest that an endpoint's own `Retry-After` is heeded.
_MOST_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came back: a status with the seconds of `Retry-After`, or None and why in `words`."""

    status: int | None
    retry_after: int | None = None
    words: str = ""

    @property
    def is_yes(self) -> bool:
        """Whether the endpoint has taken the news."""
        return self.status is not None and HTTPStatus(200) <= self.status < 300

    def __str__(self) -> str:
        """In words, for the log."""
        return f"answered {self.status}" if self.status is not None else self.words


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """What becomes of the call, and of its endpoint.

    `due_at` is None where nothing more is to be done; `disable` says why the endpoint is
    switched off, and is empty where it is not.
    """

    state: CallState
    due_at: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    rests_until: datetime | None = None
    disable: str = ""


def judge(
    answered: Answered,
    call: Call,
    endpoint: Endpoint,
    policy: OutgoingSettings,
    *,
    now: datetime,
    jitter: float,
) -> Ruling:
    """Decide after a try; `jitter` (0 to 1) draws waits out by up to a fifth."""
    if answered.is_yes:
        return Ruling(state=CallState.DELIVERED)
    failures = endpoint.failures + 1
    failing_since = endpoint.failing_since or now
    stretch = 1 + jitter / 5
    waits = policy.retries
    wait = waits[call.tries] if call.tries < len(waits) else None
    rest = min(waits[min(failures, len(waits)) - 1] if waits else 0.0, policy.rest_most)
    asked = min(timedelta(seconds=answered.retry_after or 0), _MOST_PATIENCE)
    return Ruling(
        state=CallState.DEAD if wait is None else CallState.WAITING,
        due_at=None if wait is None else now + timedelta(seconds=wait * stretch),
        failures=failures,
        failing_since=failing_since,
        rests_until=now + max(timedelta(seconds=rest * stretch), asked),
        disable=_why_disable(answered, now - failing_since, policy),
    )


def _why_disable(answered: Answered, failing_for: timedelta, policy: OutgoingSettings) -> str:
    if answered.status == HTTPStatus.GONE:
        return "it answered 410: it wants no more"
    if failing_for >= policy.disable_after:
        return f"it failed for {failing_for.days} days; last: {answered}"
    return ""
