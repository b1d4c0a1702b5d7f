"""Which copy of ours an event is about: the token first, else an id and the address."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.feedback import queries
from mailer.feedback.model import Copy
from mailer.webhooks.model import ReportedEvent
from subscribers import address
from subscribers.errors import AddressInvalid, TokenInvalid
from subscribers.event import EventType
from subscribers.token import Keyring, Scope, read, read_verp

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """An event that changes nothing, and why, in words."""

    why: str


def resolve_all(
    session: Session, reported: Sequence[ReportedEvent], *, keyring: Keyring, now: datetime
) -> list[Copy | Ignored]:
    """Find the copy each event names; Ignored where it names none that we sent.

    A token alone will do, since nobody else can make one. A Message-ID or provider id counts
    only together with the address the copy went to.
    """
    numbers = [_number(one, keyring, now) for one in reported]
    copies = queries.copies_of(session, {number for number in numbers if number is not None})
    others = {
        name
        for one, number in zip(reported, numbers, strict=True)
        if not _has_token(one) and number not in copies
        for name in _ids(one)
    }
    by_id = queries.copies_of_provider_ids(session, others) if others else {}
    found: list[Copy | Ignored] = []
    for one, number in zip(reported, numbers, strict=True):
        copy = copies.get(number) if number is not None else None
        named = [copy] if copy else [c for name in _ids(one) for c in by_id.get(name, [])]
        found.append(_by_token(named) if _has_token(one) else _by_address(one, named, keyring))
    return found


def _number(reported: ReportedEvent, keyring: Keyring, now: datetime) -> int | None:
    """The delivery that a token names, wherever in the report it stands."""
    named = (reported.token, *reported.tokens)
    for text in named if _has_token(reported) else (reported.message_id,):
        number = _read_token(reported, text, keyring, now)
        if number is not None:
            return number
    return None


def _read_token(reported: ReportedEvent, text: str, keyring: Keyring, now: datetime) -> int | None:
    number = read_delivery(text.strip("<>").partition("@")[0], keyring, now)
    if number is None and reported.type is EventType.UNSUBSCRIBED:
        # What a link to unsubscribe says is good for that alone.
        with suppress(TokenInvalid):
            return read(keyring, Scope.UNSUBSCRIBE, text.strip(), now=now)
    return number


def _ids(reported: ReportedEvent) -> list[str]:
    """The provider's ids of a message, best first."""
    return [name for name in (reported.provider_id, reported.other_id) if name]


def _has_token(reported: ReportedEvent) -> bool:
    return bool(reported.token or reported.tokens)


def _by_token(named: list[Copy]) -> Copy | Ignored:
    return _if_sent(named, "its delivery token is not ours")


def _by_address(reported: ReportedEvent, named: list[Copy], keyring: Keyring) -> Copy | Ignored:
    try:
        key = address.parse(reported.recipient).key
    except AddressInvalid:
        return Ignored(why="its recipient is no address")
    expected = keyring.address_hash(key)
    those = [copy for copy in named if copy.address_hash == expected]
    why = "its message went to another address" if named else "its message is not ours"
    return _if_sent(those, why)


def _if_sent(copies: list[Copy], why: str) -> Copy | Ignored:
    sent = next((copy for copy in copies if copy.has_left), None)
    if sent:
        return sent
    return Ignored(why=f"its copy never left ({copies[0].state})" if copies else why)


def read_delivery(text: str, keyring: Keyring, now: datetime) -> int | None:
    """The delivery named by a Return-Path's local part or by a token in one of our headers."""
    try:
        return read_verp(keyring, text, now=now)
    except TokenInvalid:
        pass
    # A Message-ID's local part is the token, and after a dot the nonce of a test or resend.
    try:
        return read(keyring, Scope.VERP, text.partition(".")[0], now=now)
    except TokenInvalid:
        return None
