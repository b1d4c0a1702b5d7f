"""What happened to a person or a message: one vocabulary, whoever reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from subscribers.reason import Reason


class EventType(StrEnum):
    """What happened."""

    #: The receiver's server took the message.
    DELIVERED = "delivered"
    #: The receiver's server said: later.
    DEFERRED = "deferred"
    #: The message came back, or was refused for good.
    BOUNCED = "bounced"
    #: The person called the message spam.
    COMPLAINED = "complained"
    #: The person asked for no more.
    UNSUBSCRIBED = "unsubscribed"
    #: The message was displayed (or its images were fetched by a machine).
    OPENED = "opened"
    #: A link in the message was followed (or tested by a machine).
    CLICKED = "clicked"
    #: A machine answered: vacation, ticket system, challenge.
    AUTO_REPLY = "auto-reply"
    #: The person asked to get the newsletter.
    SUBSCRIBED = "subscribed"
    #: The person confirmed that the address is theirs.
    CONFIRMED = "confirmed"


class Hardness(StrEnum):
    """Whether a bounce is for good."""

    #: No copy will ever arrive at this address.
    HARD = "hard"
    #: A later try may succeed.
    SOFT = "soft"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, in the words of this program.

    `source` names who reports it (`smtp`, `web`, `cli`, `generic`, a provider), `source_id`
    is that reporter's own id for the event: the pair is recorded once. `at` is when it
    happened, in UTC. `evidence` is what was said, already cleared of addresses.
    """

    type: EventType
    at: datetime
    source: str
    source_id: str
    hardness: Hardness | None = None
    reason: Reason = Reason.UNKNOWN
    newsletter_id: int | None = None
    subscriber_id: int | None = None
    campaign_id: int | None = None
    delivery_id: int | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
