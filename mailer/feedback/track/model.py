"""Looks: opens and clicks, before and after it is judged whose they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailer.campaign.track import Track
from subscribers.event import EventType


class Looker(StrEnum):
    """Who looked. All but PERSON are machines."""

    #: Nothing speaks against a person.
    PERSON = "person"
    #: Asked for the headers alone.
    HEAD = "head"
    #: Said by its own name that it is a program.
    SCANNER = "scanner"
    #: A mail service that fetches everything before anybody reads.
    PREFETCH = "prefetch"
    #: Followed the link that no reader sees, or looked right beside one who did.
    HONEYPOT = "honeypot"
    #: Followed more links at once than a hand can.
    BURST = "burst"
    #: Looked before anybody can have read.
    TOO_SOON = "too-soon"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One open (`link` None) or click (0: the honeypot), as it came.

    `machine` says what its request alone gave away. `visitor` tells one client from another
    while looks wait in memory; it is never stored.
    """

    track: Track
    link: int | None
    at: datetime
    machine: Looker | None
    visitor: int

    @property
    def type(self) -> EventType:
        """Which event this is."""
        return EventType.OPENED if self.link is None else EventType.CLICKED


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A look, and who it was."""

    look: Look
    looker: Looker


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What no person does.

    `bursts`: so many different links of one message within so long. `together`: whoever looks
    within so long of a burst or a step into the honeypot is the same machine. `soon`: nobody
    reads so shortly after the relay took the message.
    """

    bursts: tuple[tuple[int, timedelta], ...] = (
        (3, timedelta(seconds=1)),
        (6, timedelta(seconds=10)),
    )
    together: timedelta = timedelta(seconds=10)
    soon: timedelta = timedelta(seconds=5)
