"""People and newsletters as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    """Where one person stands with one newsletter."""

    #: Asked for it (double opt-in) and has not confirmed yet; gets nothing but the question.
    PENDING = "pending"
    #: Gets every issue.
    ACTIVE = "active"
    #: Asked for no more.
    UNSUBSCRIBED = "unsubscribed"
    #: The address does not take mail.
    BOUNCED = "bounced"
    #: Called an issue spam; only a person at the command line lifts this.
    COMPLAINED = "complained"


class UnknownPolicy(StrEnum):
    """What to do with a copy of which nobody can tell whether it left."""

    #: Leave it: somebody may go without a copy, nobody gets two.
    HOLD = "hold"
    #: Send it again: nobody goes without, somebody may get two.
    RESEND = "resend"


class Tracking(StrEnum):
    """What is counted of opens and clicks."""

    #: Nothing: links stand as they were written, and there is no pixel.
    OFF = "off"
    #: Totals of a campaign; no link or pixel says whose copy it was.
    ANONYMOUS = "anonymous"
    #: Who opened and clicked what.
    FULL = "full"


class OwnerMail(StrEnum):
    """What the owner of a newsletter is told by mail of the issues that go out."""

    #: That one has started, is held by a rule, stands still, or has ended.
    ALL = "all"
    #: Only what needs a person: that a rule holds one, or that one stands still.
    TROUBLE = "trouble"
    #: Nothing.
    OFF = "off"


class SuppressionScope(StrEnum):
    """What a suppression's value names."""

    #: One address.
    ADDRESS = "address"
    #: All addresses of a domain.
    DOMAIN = "domain"


@dataclass(frozen=True, kw_only=True)
class Newsletter:
    """A publication people subscribe to; its row in the database is the truth.

    `url` is its home page. `soft_bounce_limit` soft bounces in a row (without a delivery
    between) make an address bounced; one is forgotten every `soft_bounce_days`.
    `give_up_after` bounds how long one copy is retried. `archive`: whether what went out to all
    may be read by anybody. `tracking` holds for what is scheduled from now on: a campaign
    freezes it. `slot` is when its issues usually go out: `Mon 08:30`, perhaps with a time zone.
    """

    id: int
    slug: str
    name: str
    from_name: str
    from_address: str
    postal_address: str
    url: str
    reply_to: str | None = None
    language: str = "en"
    timezone: str = "UTC"
    theme: str = "digest"
    double_opt_in: bool = True
    soft_bounce_limit: int = 5
    soft_bounce_days: int = 30
    give_up_after: timedelta = timedelta(hours=48)
    unknown_policy: UnknownPolicy = UnknownPolicy.HOLD
    relay: str | None = None
    archive: bool = True
    tracking: Tracking = Tracking.OFF
    slot: str | None = None
    owner_mail: OwnerMail = OwnerMail.ALL


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """A person, whatever they subscribe to; `address` is None once erased."""

    id: int
    address: str | None
    name: str
    language: str | None
    timezone: str | None
    attributes: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    created_at: datetime
    erased_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One person's place in one newsletter."""

    newsletter_id: int
    subscriber_id: int
    status: Status
    joined_at: datetime
    left_at: datetime | None
    source: str
    soft_bounces: int


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What a person agreed to when they asked: the form's URL or name, the words beside the
    button, and the network address it came from.
    """

    form: str
    words: str
    network: str = ""

    def evidence(self) -> dict[str, str]:
        """As the record of consent keeps it."""
        told = {"form": self.form, "words": self.words, "network": self.network}
        return {name: text for name, text in told.items() if text}


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What a person agreed to (`given`, `imported`, `requested`, `confirmed`) or `withdrawn`;
    `lifted`: somebody at the command line ended what was noted against the address.
    """

    newsletter_id: int
    action: str
    at: datetime
    source: str
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Person:
    """All that is known of one person; `suppressed_for`: why they must never be mailed."""

    subscriber: Subscriber
    subscriptions: tuple[Subscription, ...]
    consents: tuple[Consent, ...]
    suppressed_for: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person as one newsletter sees them."""

    subscriber: Subscriber
    status: Status
    joined_at: datetime
    left_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Stats:
    """A newsletter's people by status, its biggest domains, and how many are suppressed."""

    people: Mapping[Status, int]
    domains: Mapping[str, int]
    suppressed: int
