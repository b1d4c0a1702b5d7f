"""What an event changes about a person's place in a newsletter: pure, one table.

The table is monotone: a late `delivered` never undoes a complaint, an old confirmation link
never brings back somebody who left, and nothing that is reported lifts a suppression.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.event import Event, EventType, Hardness
from subscribers.model import Status
from subscribers.reason import ABOUT_ADDRESS, Reason


class Signal(StrEnum):
    """An event as far as it concerns a person's place."""

    #: A copy arrived.
    DELIVERED = "delivered"
    #: No copy arrived, a later one may.
    SOFT_BOUNCE = "soft-bounce"
    #: No copy will ever arrive.
    HARD_BOUNCE = "hard-bounce"
    #: Called spam.
    COMPLAINT = "complaint"
    #: Wants no more.
    UNSUBSCRIBE = "unsubscribe"
    #: Wants it.
    SUBSCRIBE = "subscribe"
    #: Proved that the address is theirs.
    CONFIRM = "confirm"
    #: Says nothing about the person: a delay, a machine, a look, our own fault.
    NOISE = "noise"


class Count(StrEnum):
    """What happens to the count of soft bounces in a row."""

    KEEP = "keep"
    RESET = "reset"
    #: One more; at the newsletter's limit the address is bounced.
    ADD = "add"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the newsletter has decided; one soft bounce is forgotten every `soft_bounce_days`."""

    soft_bounce_limit: int
    soft_bounce_days: int = 30
    double_opt_in: bool


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to do about one person's place.

    `status` None: it stays. `suppress`: never mail the address again, for any newsletter.
    `consent`: what to write into the record of consent. `words`: what was done, or why
    nothing was.
    """

    words: str
    status: Status | None = None
    count: Count = Count.KEEP
    suppress: bool = False
    consent: str | None = None


_SIGNALS = {
    EventType.DELIVERED: Signal.DELIVERED,
    EventType.COMPLAINED: Signal.COMPLAINT,
    EventType.UNSUBSCRIBED: Signal.UNSUBSCRIBE,
    EventType.SUBSCRIBED: Signal.SUBSCRIBE,
    EventType.CONFIRMED: Signal.CONFIRM,
}

_ARRIVED = Change(words="delivered", count=Count.RESET)
_COUNTED = Change(words="soft bounce counted", count=Count.ADD)
_DEAD = Change(
    words="bounced, address suppressed", status=Status.BOUNCED, suppress=True, count=Count.RESET
)
_DEAD_TOO = Change(words="address suppressed", suppress=True)
_SPAM = Change(
    words="complained, address suppressed for all newsletters",
    status=Status.COMPLAINED,
    suppress=True,
    consent="withdrawn",
)
_LEFT = Change(words="unsubscribed", status=Status.UNSUBSCRIBED, consent="withdrawn")
#: How the words of a change end that waits for a confirmation.
TO_BE_CONFIRMED = "to be confirmed"
#: Becomes `active` where the newsletter asks for no confirmation.
_ASKED = Change(
    words=f"subscribed, {TO_BE_CONFIRMED}",
    status=Status.PENDING,
    count=Count.RESET,
    consent="requested",
)
#: Stays `pending` whatever the newsletter: anybody may type the address of one who has left.
_ASKED_AGAIN = replace(_ASKED, words=f"subscribed again, {TO_BE_CONFIRMED}")
_CONFIRMED = Change(words="confirmed", status=Status.ACTIVE, consent="confirmed")


def _nothing(why: str) -> Change:
    return Change(words=f"ignored: {why}")


_GONE = _nothing("no longer subscribed")
_NEVER = _nothing("not subscribed")
_SPAMMED = _nothing("complained before; only `mailer subscribers add --lift` ends that")

#: What each signal changes, by where the person stands; None: has no place here yet.
TABLE: dict[tuple[Status | None, Signal], Change] = {
    (None, Signal.DELIVERED): _NEVER,
    (None, Signal.SOFT_BOUNCE): _NEVER,
    # The address is dead, or hostile, whatever it is subscribed to.
    (None, Signal.HARD_BOUNCE): _DEAD_TOO,
    (None, Signal.COMPLAINT): _DEAD_TOO,
    (None, Signal.UNSUBSCRIBE): _NEVER,
    (None, Signal.SUBSCRIBE): _ASKED,
    (None, Signal.CONFIRM): _NEVER,
    (Status.PENDING, Signal.DELIVERED): _ARRIVED,
    (Status.PENDING, Signal.SOFT_BOUNCE): _COUNTED,
    (Status.PENDING, Signal.HARD_BOUNCE): _DEAD,
    (Status.PENDING, Signal.COMPLAINT): _SPAM,
    (Status.PENDING, Signal.UNSUBSCRIBE): _LEFT,
    (Status.PENDING, Signal.SUBSCRIBE): _nothing("waits for its confirmation already"),
    (Status.PENDING, Signal.CONFIRM): _CONFIRMED,
    (Status.ACTIVE, Signal.DELIVERED): _ARRIVED,
    (Status.ACTIVE, Signal.SOFT_BOUNCE): _COUNTED,
    (Status.ACTIVE, Signal.HARD_BOUNCE): _DEAD,
    (Status.ACTIVE, Signal.COMPLAINT): _SPAM,
    (Status.ACTIVE, Signal.UNSUBSCRIBE): _LEFT,
    (Status.ACTIVE, Signal.SUBSCRIBE): _nothing("subscribed already"),
    # Who is asked whether to go on says so again: that is on record, too.
    (Status.ACTIVE, Signal.CONFIRM): Change(words="confirmed again", consent="confirmed"),
    (Status.UNSUBSCRIBED, Signal.DELIVERED): _GONE,
    (Status.UNSUBSCRIBED, Signal.SOFT_BOUNCE): _GONE,
    # Stays a decision of the person's own; but nobody should write there again.
    (Status.UNSUBSCRIBED, Signal.HARD_BOUNCE): _DEAD_TOO,
    # Complaints about the last issue arrive after the person has left.
    (Status.UNSUBSCRIBED, Signal.COMPLAINT): _SPAM,
    (Status.UNSUBSCRIBED, Signal.UNSUBSCRIBE): _nothing("unsubscribed already"),
    (Status.UNSUBSCRIBED, Signal.SUBSCRIBE): _ASKED_AGAIN,
    # An old link must not bring anybody back.
    (Status.UNSUBSCRIBED, Signal.CONFIRM): _GONE,
    (Status.BOUNCED, Signal.DELIVERED): _nothing("bounced since"),
    (Status.BOUNCED, Signal.SOFT_BOUNCE): _nothing("bounced already"),
    # It may have bounced by too many soft ones, which suppress nothing.
    (Status.BOUNCED, Signal.HARD_BOUNCE): _DEAD_TOO,
    (Status.BOUNCED, Signal.COMPLAINT): _SPAM,
    # The person's own word outlasts the mailbox's trouble.
    (Status.BOUNCED, Signal.UNSUBSCRIBE): _LEFT,
    # A hard bounce is suppressed as well: there it takes a person at the command line.
    (Status.BOUNCED, Signal.SUBSCRIBE): _ASKED_AGAIN,
    (Status.BOUNCED, Signal.CONFIRM): _nothing("bounced since"),
    (Status.COMPLAINED, Signal.DELIVERED): _nothing("complained since"),
    (Status.COMPLAINED, Signal.SOFT_BOUNCE): _nothing("complained already"),
    (Status.COMPLAINED, Signal.HARD_BOUNCE): _nothing("complained already"),
    (Status.COMPLAINED, Signal.COMPLAINT): _nothing("complained already"),
    (Status.COMPLAINED, Signal.UNSUBSCRIBE): _nothing("complained already"),
    (Status.COMPLAINED, Signal.SUBSCRIBE): _SPAMMED,
    (Status.COMPLAINED, Signal.CONFIRM): _SPAMMED,
} | {
    (status, Signal.NOISE): _nothing("says nothing about the person") for status in (None, *Status)
}


def signal(event: Event) -> Signal:
    """Say what an event means for a person; a bounce counts only where it is about the address.

    A full mailbox never counts as hard. A bounce that somebody calls hard without a word of
    why counts as one soft bounce: such reports are wrong too often to suppress at once.
    """
    if event.type is not EventType.BOUNCED:
        return _SIGNALS.get(event.type, Signal.NOISE)
    hard = event.hardness is Hardness.HARD
    if event.reason is Reason.UNKNOWN:
        return Signal.SOFT_BOUNCE if hard else Signal.NOISE
    if event.reason not in ABOUT_ADDRESS:
        return Signal.NOISE
    for_good = hard and event.reason is not Reason.MAILBOX_FULL
    return Signal.HARD_BOUNCE if for_good else Signal.SOFT_BOUNCE


def decide(status: Status | None, event: Event, policy: Policy, *, soft_bounces: int = 0) -> Change:
    """Decide what an event changes, given the status and the soft bounces so far."""
    meaning = signal(event)
    change = TABLE[status, meaning]
    if meaning is Signal.NOISE and event.type is EventType.BOUNCED:
        return _nothing(f"{event.reason} is not about the address")
    if change.count is Count.ADD:
        return _counted(change, soft_bounces + 1, policy.soft_bounce_limit)
    if change is _ASKED and not policy.double_opt_in:
        return replace(_ASKED, words="subscribed", status=Status.ACTIVE, consent="given")
    return change


def faded(count: int, last: datetime | None, policy: Policy, *, now: datetime) -> int:
    """How many of `count` soft bounces still count, the last of which came at `last`."""
    if last is None or now <= last:
        return count
    return max(0, count - (now - last) // timedelta(days=policy.soft_bounce_days))


def _counted(change: Change, count: int, limit: int) -> Change:
    words = f"soft bounce {count} of {limit}"
    if count < limit:
        return replace(change, words=words)
    return replace(change, words=f"bounced: {words}", status=Status.BOUNCED)
