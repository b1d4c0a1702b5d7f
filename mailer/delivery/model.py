"""Deliveries, attempts and the values that flow from claim to outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from subscribers.reason import Reason


class DeliveryState(StrEnum):
    """What happened to one recipient's copy; the transitions are one table in `lifecycle`."""

    #: Waits for its first try.
    QUEUED = "queued"
    #: An intent stands in the ledger and no outcome yet.
    SENDING = "sending"
    #: The relay said 250 after the final dot.
    SENT = "sent"
    #: The relay said: later; tried again when due.
    DEFERRED = "deferred"
    #: The relay refused for good, or the retries ran out.
    FAILED = "failed"
    #: It may or may not have left: nobody can tell.
    UNKNOWN = "unknown"
    #: Left out, for a reason with a name.
    SKIPPED = "skipped"
    #: The campaign was cancelled before this copy left.
    CANCELLED = "cancelled"


#: States a copy never leaves by itself.
FINAL = frozenset(
    {
        DeliveryState.SENT,
        DeliveryState.FAILED,
        DeliveryState.UNKNOWN,
        DeliveryState.SKIPPED,
        DeliveryState.CANCELLED,
    }
)


class SkipReason(StrEnum):
    """Why a person of the audience was left out."""

    #: Has asked for no more since.
    UNSUBSCRIBED = "unsubscribed"
    #: The address, or its whole domain, must never be mailed.
    SUPPRESSED = "suppressed"
    #: There is no address any more.
    ERASED = "erased"
    #: The address does not take mail.
    BOUNCED = "bounced"
    #: Called an issue spam.
    COMPLAINED = "complained"
    #: Has not confirmed yet.
    NOT_CONFIRMED = "not-confirmed"
    #: Wants no issues for a while.
    PAUSED = "paused"
    #: Has, or may have, a copy from an earlier campaign of the same issue.
    HAS_COPY = "has-copy"
    #: The copy can't be made for this person (its address needs what the relay lacks, …).
    UNMAILABLE = "unmailable"


class Verdict(StrEnum):
    """How one attempt ended."""

    #: The relay took the message.
    SENT = "sent"
    #: Nothing left; there will be another attempt.
    DEFERRED = "deferred"
    #: Nothing left, and there will be none.
    FAILED = "failed"
    #: The message was complete, and no reply came.
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """How far the dialogue with the relay had come."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    REPLY = "reply"


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One person as a message needs them; plain data, nothing to evaluate.

    `nonce` makes Message-IDs of tests and resends differ; empty for a campaign's own copy.
    """

    delivery_id: int
    subscriber_id: int | None
    address: str
    name: str
    language: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    nonce: str = ""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A finished message, ready for the wire.

    `content` is the whole message with CRLF line ends, not dot-stuffed, ending in CRLF;
    every line is at most 998 octets and all of it is ASCII unless `smtputf8`. With
    `dot_free` its maker vouches for that, and that no line starts with a dot: nobody looks.
    """

    delivery_id: int
    envelope_from: str
    envelope_to: str
    content: bytes
    smtputf8: bool = False
    dot_free: bool = False


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One worker's hold on a chunk, for as long as its fencing token is the newest.

    `relay` is the one its newsletter insists on, if it does.
    """

    chunk_id: int
    campaign_id: int
    token: int
    lane: str
    relay: str | None = None


@dataclass(frozen=True, kw_only=True)
class Intent:
    """Leave to let one copy fly, durable in the ledger before any byte that could complete it."""

    delivery_id: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one attempt ended, as the dialogue told it.

    `reply` is the server's text, cleared of addresses. `code` is the SMTP code (0: none
    came), `enhanced` the RFC 3463 code if there was one. `provider_id` is the id the relay
    gave the message in its 250.
    """

    delivery_id: int
    attempt: int
    verdict: Verdict
    phase: Phase
    at: datetime
    code: int = 0
    enhanced: str | None = None
    reason: Reason = Reason.UNKNOWN
    reply: str = ""
    provider_id: str | None = None
