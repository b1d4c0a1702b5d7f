"""What is known of one dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Signs(StrEnum):
    """Whose DKIM signature is good behind a relay."""

    #: Ours: the relay leaves mail as it is.
    US = "us"
    #: Ours, where it leaves out what the relay rewrites; the relay signs as well.
    BOTH = "both"
    #: The relay's alone: it makes the message anew, and no signature from before holds.
    RELAY = "relay"


class Form(StrEnum):
    """How a header carries our token."""

    #: `X-PM-Metadata-…: TOKEN`.
    PLAIN = "plain"
    #: `name=value, pressrun-delivery=TOKEN`.
    TAGS = "tags"
    #: JSON, with the token at a path in it.
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The header whose content the service hands back in its reports.

    `path` leads to the object that holds our name in the header's JSON.
    """

    header: str
    form: Form
    path: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The header that chooses a configuration set or message stream; `word` is its name there."""

    header: str
    word: str


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One row of the table.

    `hosts` are the ends of the service's relays' names. `rewrites` names, in lower case, headers
    that it replaces or adds of its own: never signed. `headers` are sent with every message,
    unless the relay's own settings say else; `limits` are phrases of replies that are about the
    account's own speed or quota, whatever their code. `reply_id` finds the id in its 250,
    `webhook` is the provider whose reports are about mail by this relay.
    """

    name: str
    title: str
    hosts: tuple[str, ...] = ()
    rewrites: frozenset[str] = frozenset()
    signs: Signs
    keeps_return_path: bool
    metadata: Metadata | None = None
    stream: Stream | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reply_id: re.Pattern[str] | None = None
    limits: re.Pattern[str] | None = None
    webhook: str | None = None

    @property
    def keeps_our_signature(self) -> bool:
        """Whether what we sign still verifies when it arrives."""
        return self.signs is not Signs.RELAY

    def id_in(self, text: str) -> str | None:
        """The id that a 250's text gives the message, where this service's has one."""
        found = self.reply_id.search(text) if self.reply_id else None
        told = next(filter(None, found.groups()), None) if found else None
        return told.rstrip(".") if told else None

    def is_limit(self, text: str) -> bool:
        """Whether a refusal says that the account may not send so much, or so fast."""
        return self.limits is not None and self.limits.search(text) is not None
