"""What the web process works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from mailer.fetch import Fetcher, expect_ok
from mailer.settings import Settings
from subscribers.database import Database
from subscribers.errors import DatabaseBusy
from subscribers.signup.model import Limits
from subscribers.token import Keyring

T = TypeVar("T")

#: How often a change is tried whose rows somebody else held.
_TRIES = 5


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def fetch_public(url: str) -> bytes:
    """What stands behind a public https URL, small and soon; raises FetchRefused."""
    return expect_ok(Fetcher(most_bytes=100_000, seconds=5.0).get(url))


@dataclass(frozen=True, kw_only=True)
class WebServices:
    """Database, keys and settings of one web process; `clock` gives aware UTC.

    `fetch` gets certificates of signers, and URLs that confirm subscriptions; `signup_limits`
    says how many requests to subscribe are taken. `ping_broker` raises BrokerUnavailable.
    """

    settings: Settings
    database: Database
    keyring: Keyring
    clock: Callable[[], datetime] = utc_now
    fetch: Callable[[str], bytes] = fetch_public
    signup_limits: Limits = field(default_factory=Limits)
    ping_broker: Callable[[], None] = lambda: None


def services_of(request: Request) -> WebServices:
    """The services of the app that a request came to."""
    services: WebServices = request.app.state.services
    return services


def insist(change: Callable[[], T]) -> T:
    """Make a change that must not get lost to a deadlock; the last DatabaseBusy is raised."""
    for _ in range(_TRIES - 1):
        try:
            return change()
        except DatabaseBusy:
            continue
    return change()


Services = Annotated[WebServices, Depends(services_of)]
