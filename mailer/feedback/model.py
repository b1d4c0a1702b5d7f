"""Copies that were sent, and requests that wait: the values feedback works on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailer.campaign.model import CampaignKind
from mailer.delivery.model import DeliveryState
from subscribers.model import Status


class Later(StrEnum):
    """What the world said about a copy after it had left; a later member outranks an earlier."""

    #: The receiver's server took it.
    DELIVERED = "delivered"
    #: It came back.
    BOUNCED = "bounced"
    #: Its reader called it spam. Nothing undoes that.
    COMPLAINED = "complained"

    @property
    def outranked(self) -> tuple[Later, ...]:
        """What this takes the place of, in whatever order the reports come."""
        members = tuple(Later)
        return members[: members.index(self)]


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One delivery as what comes back needs it; `has_left` where some attempt may have left."""

    delivery_id: int
    kind: CampaignKind
    campaign_id: int
    newsletter_id: int
    newsletter: str
    subscriber_id: int | None
    address: str | None
    address_hash: bytes
    state: DeliveryState
    has_left: bool


@dataclass(frozen=True, kw_only=True)
class Place:
    """One person's place in one newsletter, and whether the link at hand is how they left it."""

    newsletter_id: int
    newsletter: str
    status: Status
    can_return: bool


@dataclass(frozen=True, kw_only=True)
class Request:
    """A raw request of a webhook that waits to be applied; `request_id` is its provider's."""

    id: int
    provider: str
    request_id: str
    received_at: datetime
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A genuine request that is to be kept: whose, its provider's id for it, when, what."""

    provider: str
    request_id: str
    received_at: datetime
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What came of a kept request, in words; `is_done` where all of it was understood.

    Then the events say it all, and the raw request, which is full of addresses, is emptied.
    """

    request_id: int
    result: str
    is_done: bool = False


@dataclass(frozen=True, kw_only=True)
class Unparsed:
    """A raw request or message that was not understood; `size` in bytes."""

    id: int
    received_at: datetime
    size: int
    why: str
