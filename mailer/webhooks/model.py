"""What a provider sends, and what it reports in our words, before it is known of which delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailer.errors import WebhookRefused
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason


class WebhookUnreadable(WebhookRefused):
    """This request is genuine, but nothing in it can be understood."""


def _no_certificate(url: str) -> bytes:
    raise WebhookRefused(f"no certificate is fetched here: {url}")


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A request as it came, to be verified: raw `body`, lower-case `headers`, `query`.

    `url` is where the world sends it (a proxy may have changed what we see), `now` aware UTC.
    `certificate` gets the PEM text behind a URL that the verifier has found acceptable.
    """

    body: bytes
    now: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    certificate: Callable[[str], bytes] = _no_certificate


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request that was verified and kept: the provider's `id` for it, when it came, its body."""

    id: str
    at: datetime
    body: bytes


@dataclass(frozen=True, kw_only=True)
class ReportedEvent:
    """One event as its reporter told it.

    `id` is the reporter's own, `at` aware UTC, `recipient` the address as reported. The event
    names a delivery by `token` (from our Return-Path or headers), or by `message_id` or
    `provider_id` together with the recipient. `tokens` are what may be such tokens, best first.
    `other_id` is a second one, where a provider has two. `text` is what the receiving server said.
    """

    id: str
    type: EventType
    at: datetime
    recipient: str = ""
    hardness: Hardness | None = None
    reason: Reason = Reason.UNKNOWN
    token: str = ""
    tokens: tuple[str, ...] = ()
    message_id: str = ""
    provider_id: str = ""
    other_id: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One request, read: its events, and in words what could not be understood.

    `passed` names what was understood and changes nothing, such as `sent`. `confirm` is a URL
    to be fetched once so that the provider knows we want its reports.
    """

    events: tuple[ReportedEvent, ...] = ()
    mistakes: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    confirm: str = ""
