"""Writes events.md from the code: what can happen, why, and where things stand after it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from mailer.campaign.model import CampaignKind, CampaignState
from mailer.delivery.model import DeliveryState, Phase, SkipReason, Verdict
from mailer.feedback.track.model import Looker
from mailer.notice.model import Notice
from subscribers.event import EventType, Hardness
from subscribers.lifecycle import TABLE, Signal
from subscribers.model import Status, SuppressionScope, Tracking, UnknownPolicy
from subscribers.outbox.model import NewsType
from subscribers.reason import ABOUT_ADDRESS, Reason

_MEMBER = re.compile(r'((?:    #: .*\n)*)    [A-Z_0-9]+ = "([^"]*)"')

_HEAD = """\
# Events, reasons and states

*Written by `python -m docs.write` from the code.*

The words of reports, of `--json`, of `mailer campaign explain` and `mailer campaign audit`, and of
exports. They mean the same everywhere, whichever provider told of it.
"""


def page() -> str:
    """Every event, reason and state with its sentence."""
    parts = [_HEAD, *_happened(), *_copies(), *_people(), *_told()]
    return "\n".join(parts).rstrip("\n") + "\n"


def sentences(kind: type[StrEnum]) -> dict[str, str]:
    """What the `#:` comments above an enumeration's members say, by value."""
    found = _MEMBER.findall(inspect.getsource(kind))
    return {value: " ".join(re.findall(r"#: (.*)", said)) for said, value in found}


def _happened() -> Iterator[str]:
    yield "## What happens to people and messages\n"
    yield _table("event", EventType)
    yield "A bounce is hard or soft:\n"
    yield _table("bounce", Hardness)
    yield "### Reasons\n"
    yield "Only those about the address can count against a person.\n"
    yield _rows(
        ("reason", "", "about the address"),
        (
            (f"`{value}`", words, "yes" if Reason(value) in ABOUT_ADDRESS else "")
            for value, words in sentences(Reason).items()
        ),
    )
    yield "### Who looked\n"
    yield "Opens and clicks are judged before they count ([tracking.md](tracking.md)).\n"
    yield _table("looker", Looker)


def _copies() -> Iterator[str]:
    yield "## Where a campaign stands\n"
    yield _table("kind", CampaignKind)
    yield _table("state", CampaignState)
    yield "## Where a copy stands\n"
    yield (
        "In the end `audience = sent + failed + skipped + cancelled + unknown`"
        " ([delivery.md](delivery.md)).\n"
    )
    yield _table("state", DeliveryState)
    yield "### Why somebody was skipped\n"
    yield _table("reason", SkipReason)
    yield "### How an attempt ends\n"
    yield _table("verdict", Verdict)
    yield "With it stands how far the dialogue with the relay had come: " + (
        ", ".join(f"`{phase}`" for phase in Phase) + ".\n"
    )
    yield "### What becomes of a copy that may have left\n"
    yield _table("policy", UnknownPolicy)


def _people() -> Iterator[str]:
    yield "## Where a person stands with a newsletter\n"
    yield _table("status", Status)
    yield "### What an event changes\n"
    yield (
        "As an event counts for a person, by where they stand when it comes. What says nothing"
        " about the person (a delay, a machine, a fault of ours) changes nothing.\n"
    )
    yield _table("signal", Signal)
    places = (None, *Status)
    yield _rows(
        ("", *(f"`{place}`" if place else "never subscribed" for place in places)),
        (
            (f"`{signal}`", *(TABLE[place, signal].words for place in places))
            for signal in Signal
            if signal is not Signal.NOISE
        ),
    )
    yield "### What a suppression names\n"
    yield _table("scope", SuppressionScope)
    yield "### What a newsletter counts\n"
    yield _table("tracking", Tracking)


def _told() -> Iterator[str]:
    yield "## What Pressrun tells\n"
    yield "To systems of yours ([webhooks.md](webhooks.md#telling-your-own-systems)):\n"
    yield _table("type", NewsType)
    yield "To people, by mail:\n"
    yield _table("notice", Notice)


def _table(title: str, kind: type[StrEnum]) -> str:
    return _rows((title, ""), ((f"`{value}`", words) for value, words in sentences(kind).items()))


def _rows(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
