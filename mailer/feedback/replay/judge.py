"""Where a person would stand if all that was recorded came in only now: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailer.diagnosis import Diagnosis, diagnose, enhanced_code
from mailer.diagnosis.returned import Returned
from mailer.diagnosis.returned import judge as judge_returned
from mailer.feedback.mail_report import MAIL
from subscribers.event import Event, EventType, Hardness
from subscribers.lifecycle import Count, Policy, decide, faded
from subscribers.model import Status
from subscribers.reason import Reason

#: What a replay itself records, which is no news.
REPLAY = "replay"
#: Places that a replay may change; the rest are decisions of people, or none.
OPEN = frozenset({Status.ACTIVE, Status.BOUNCED})


@dataclass(frozen=True, kw_only=True)
class Past:
    """One person's place in a newsletter, and what was reported about it, oldest first."""

    newsletter_id: int
    subscriber_id: int
    address: str
    status: Status
    events: Sequence[Event]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A place that would be another; `event` is what decided it, judged anew."""

    past: Past
    becomes: Status
    soft_bounces: int
    why: str
    event: Event


def judge(past: Past, policies: Mapping[int, Policy]) -> Difference | None:
    """Walk through the past anew; None where the person stands as they should."""
    if past.status not in OPEN:
        return None
    policy = policies[past.newsletter_id]
    status, count = Status.ACTIVE, 0
    last: datetime | None = None
    decisive, why = None, ""
    for event in map(judged_anew, past.events):
        change = decide(
            status, event, policy, soft_bounces=faded(count, last, policy, now=event.at)
        )
        if change.count is Count.ADD:
            count, last = faded(count, last, policy, now=event.at) + 1, event.at
        elif change.count is Count.RESET:
            count = 0
        if change.status:
            status = change.status
        if event.type is EventType.BOUNCED or change.status:
            decisive, why = event, change.words
    if decisive is None or status not in OPEN or status is past.status:
        return None
    return Difference(past=past, becomes=status, soft_bounces=count, why=why, event=decisive)


def judged_anew(event: Event) -> Event:
    """A bounce as today's rules read its words; what a provider has judged stays its word."""
    if event.type is not EventType.BOUNCED:
        return event
    found: Diagnosis
    if event.source == MAIL and event.evidence.get("text"):
        found = judge_returned(Returned(said=event.evidence["text"]))
    elif event.source == "smtp" and event.evidence.get("reply"):
        reply = event.evidence["reply"]
        found = diagnose(int(event.evidence.get("code", "0")), enhanced_code(reply), reply)
    else:
        return event
    if found.reason is Reason.UNKNOWN:
        return event
    hardness = Hardness.HARD if found.hard else Hardness.SOFT
    return replace(event, reason=found.reason, hardness=hardness)
