"""What there is to tell the user's own systems: pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase


class NewsType(StrEnum):
    """What happened; the part before the dot says to whom. Names are never changed or reused."""

    #: A person asked for a newsletter; `status` says whether that is still to be confirmed.
    SUBSCRIBED = "subscriber.subscribed"
    #: A person proved that the address is theirs, and gets the newsletter.
    CONFIRMED = "subscriber.confirmed"
    #: A person wants a newsletter no more.
    UNSUBSCRIBED = "subscriber.unsubscribed"
    #: A person's mail came back, for good or too often.
    BOUNCED = "subscriber.bounced"
    #: A person called a message spam.
    COMPLAINED = "subscriber.complained"
    #: A person is erased: `subscriber.id` is all there is left, erase them too.
    ERASED = "subscriber.erased"
    #: A file brought people; one for every some thousand rows.
    IMPORTED = "import.taken"
    #: A campaign has a time to start.
    SCHEDULED = "campaign.scheduled"
    #: A campaign's time has come: its audience is written down.
    STARTED = "campaign.started"
    #: A campaign waits for a person; `reason` says why.
    PAUSED = "campaign.paused"
    #: A person let a campaign go on.
    RESUMED = "campaign.resumed"
    #: A campaign's canary is out, and the rest waits for how it fares.
    CANARY_HELD = "campaign.canary_held"
    #: The canary fared well, and the rest goes out.
    CANARY_RELEASED = "campaign.canary_released"
    #: Every copy of a campaign has a final state.
    FINISHED = "campaign.finished"
    #: A person stopped a campaign for good.
    CANCELLED = "campaign.cancelled"


@dataclass(frozen=True, kw_only=True)
class News:
    """One thing that happened, `at` in UTC; `facts` are plain JSON and never name a person."""

    type: NewsType
    at: datetime
    newsletter_id: int | None = None
    subscriber_id: int | None = None
    campaign_id: int | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


def wants(patterns: Iterable[str], kind: str) -> bool:
    """Whether somebody who asked for these (`subscriber.*`, `campaign.paused`) wants this."""
    return any(fnmatchcase(kind, pattern) for pattern in patterns)
