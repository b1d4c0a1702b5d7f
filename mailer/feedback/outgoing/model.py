"""An endpoint of the user's own, and the calls it is to get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EndpointState(StrEnum):
    """Whether an endpoint is called; news are kept for it in any case."""

    #: Is called.
    ACTIVE = "active"
    #: Held by a person.
    PAUSED = "paused"
    #: Switched off, because it failed for too long or answered 410.
    DISABLED = "disabled"


class CallState(StrEnum):
    """What became of one piece of news for one endpoint."""

    #: Is still to be delivered.
    WAITING = "waiting"
    #: The endpoint said yes.
    DELIVERED = "delivered"
    #: Given up after the last try: a dead letter.
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where news go; its secret is derived from `seed`, and `old_seed` until its time is over."""

    id: int
    url: str
    wanted: tuple[str, ...]
    state: EndpointState
    seed: str
    old_seed: str | None
    old_seed_until: datetime | None
    created_at: datetime
    failures: int
    failing_since: datetime | None
    rests_until: datetime | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Whom or what news are about, as it is now; `email` is None once the person is erased."""

    newsletter: str | None = None
    subscriber_id: int | None = None
    email: str | None = None
    campaign_id: int | None = None
    issue_number: int | None = None
    campaign_subject: str | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One piece of news for one endpoint; `id` grows with the order in which they were written."""

    id: int
    message_id: str
    type: str
    at: datetime
    facts: Mapping[str, object]
    tries: int
    subject: Subject


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A call as it stands in the outbox."""

    id: int
    endpoint_id: int
    message_id: str
    type: str
    at: datetime
    state: CallState
    tries: int
    tried_at: datetime | None
    due_at: datetime | None
    result: str | None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How much waits for an endpoint, since when, and how much was given up."""

    waiting: int = 0
    oldest: datetime | None = None
    dead: int = 0
    delivered: int = 0
