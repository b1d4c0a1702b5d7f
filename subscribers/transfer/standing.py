"""What the words of a status column say about a person: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from subscribers.model import Status

_LETTERS = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where somebody stood elsewhere; without a status the word says nothing about it.

    `suppressed`: why their address must never be mailed again.
    """

    status: Status | None
    suppressed: str | None = None


#: The reason that a complaint leaves in the list of suppressions.
COMPLAINT = "complaint"

ACTIVE = Standing(status=Status.ACTIVE)
PENDING = Standing(status=Status.PENDING)
UNSUBSCRIBED = Standing(status=Status.UNSUBSCRIBED)
BOUNCED = Standing(status=Status.BOUNCED)
COMPLAINED = Standing(status=Status.COMPLAINED, suppressed=COMPLAINT)
BLOCKED = Standing(status=Status.UNSUBSCRIBED, suppressed="blocked")
SAYS_NOTHING = Standing(status=None)


def words(table: Mapping[str, Standing]) -> dict[str, Standing]:
    """Spread `{"active subscribed": ACTIVE}` into one entry a word."""
    return {word: standing for listed, standing in table.items() for word in listed.split()}


#: Words that mean the same wherever they come from.
WORDS = words(
    {
        "active subscribed confirmed enabled": ACTIVE,
        "pending unconfirmed": PENDING,
        "unsubscribed inactive removed optout": UNSUBSCRIBED,
        "bounced cleaned undeliverable": BOUNCED,
        "complained complaint spam abuse": COMPLAINED,
        "blocked blocklisted": BLOCKED,
    }
)


def folded(text: str) -> str:
    """A word as the tables have it: `Opt-Out` is `optout`."""
    return _LETTERS.sub("", text.casefold())
