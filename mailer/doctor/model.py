"""What a look at an installation found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mailer.errors import DnsBroken, DnsUnavailable
from mailer.zone import Record


class Status(StrEnum):
    """How something is."""

    #: As it should be.
    OK = "ok"
    #: Works, and should be better.
    WARNING = "warning"
    #: Mail does not go out, does not arrive, or people can't leave.
    ERROR = "error"
    #: It could not be looked up, here and now.
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: `what` it is, how it is, and what to do about it.

    `publish` are the very records that mend it.
    """

    what: str
    status: Status
    words: str
    remedy: str = ""
    publish: tuple[Record, ...] = ()


def ok(what: str, words: str) -> Finding:
    """It is as it should be."""
    return Finding(what=what, status=Status.OK, words=words)


def warning(what: str, words: str, remedy: str, *publish: Record) -> Finding:
    """It works, and should be better."""
    return Finding(
        what=what, status=Status.WARNING, words=words, remedy=remedy, publish=tuple(publish)
    )


def error(what: str, words: str, remedy: str, *publish: Record) -> Finding:
    """It does not work."""
    return Finding(
        what=what, status=Status.ERROR, words=words, remedy=remedy, publish=tuple(publish)
    )


def unknown(what: str, words: str, remedy: str = "") -> Finding:
    """Nobody can tell from here."""
    return Finding(what=what, status=Status.UNKNOWN, words=words, remedy=remedy)


def unless_dns_fails(what: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """What a look into the DNS found; where nobody answers, that it could not be looked up."""
    try:
        return look()
    except DnsUnavailable as exc:
        return [unknown(what, f"could not be looked up: {exc}")]
    except DnsBroken as exc:
        return [error(what, str(exc), "ask who runs the name servers of this domain")]
