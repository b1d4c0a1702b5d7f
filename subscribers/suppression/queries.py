"""Reads and writes of suppressions; each is known by a keyed hash alone.

What it names stands beside the hash where a person typed it, and goes when they are erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from subscribers.address import Address, parse
from subscribers.database import upsert
from subscribers.errors import Suppressed
from subscribers.model import Status, SuppressionScope
from subscribers.tables import consents, newsletters, subscribers, subscriptions, suppressions
from subscribers.token import Keyring

ERASED = "erased"
MANUAL = "manual"

_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Named:
    """What somebody wants suppressed: an address's key or a domain, in comparable form."""

    scope: SuppressionScope
    value: str

    def hash(self, keyring: Keyring) -> bytes:
        """The 16 bytes it is known by."""
        if self.scope is SuppressionScope.DOMAIN:
            return keyring.domain_hash(self.value)
        return keyring.address_hash(self.value)


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """One suppression; `value` is None where only the hash is left."""

    value: str | None
    scope: SuppressionScope
    newsletter: str | None
    reason: str
    source: str
    at: datetime


def named(text: str) -> Named:
    """An address, or a domain with or without its @; raises AddressInvalid."""
    trimmed = text.strip()
    if "@" in trimmed.removeprefix("@"):
        return Named(scope=SuppressionScope.ADDRESS, value=parse(trimmed).key)
    domain = parse(f"x@{trimmed.lstrip('@')}").domain
    return Named(scope=SuppressionScope.DOMAIN, value=domain)


def suppress(
    session: Session,
    what: Named,
    *,
    keyring: Keyring,
    newsletter_id: int = 0,
    reason: str = MANUAL,
    source: str = "cli",
    now: datetime,
) -> bool:
    """Never mail it again, for one newsletter or (0) for all; False where that held already."""
    row = {
        "newsletter_id": newsletter_id,
        "scope": what.scope,
        "value_hash": what.hash(keyring),
        "value": None if reason == ERASED else what.value,
        "reason": reason,
        "source": source,
        "at": now,
    }
    statement = upsert(session, suppressions).on_conflict_do_nothing()
    written = session.execute(statement.values(row).returning(suppressions.c.id)).first()
    return written is not None


def lift(
    session: Session,
    what: Named,
    *,
    keyring: Keyring,
    newsletter_id: int | None = None,
    reason: str,
    now: datetime,
) -> int:
    """End what is noted against an address or domain, for one newsletter (and for all) or,
    with None, everywhere; gives how much was noted.

    Who complained may then be subscribed again, but is not. What was lifted, and why, stays in
    the person's record of consent.
    """
    value_hash = what.hash(keyring)
    noted = [suppressions.c.value_hash == value_hash]
    if newsletter_id is not None:
        noted.append(suppressions.c.newsletter_id.in_([0, newsletter_id]))
    lifted = session.execute(
        delete(suppressions).where(*noted).returning(suppressions.c.reason)
    ).scalars()
    reasons = [*lifted]
    if what.scope is SuppressionScope.ADDRESS:
        _let_back(session, value_hash, newsletter_id, {"reason": reason, "lifted": reasons}, now)
    return len(reasons)


def _let_back(
    session: Session,
    address_hash: bytes,
    newsletter_id: int | None,
    evidence: dict[str, object],
    now: datetime,
) -> None:
    """Part the place of somebody who complained from the complaint, and write down who did."""
    person = select(subscribers.c.id).where(subscribers.c.address_hash == address_hash)
    places = select(subscriptions.c.newsletter_id, subscriptions.c.subscriber_id).where(
        subscriptions.c.subscriber_id == person.scalar_subquery()
    )
    if newsletter_id is not None:
        places = places.where(subscriptions.c.newsletter_id == newsletter_id)
    found = session.execute(places).all()
    if not found:
        return
    session.execute(
        insert(consents),
        [
            {
                "newsletter_id": place.newsletter_id,
                "subscriber_id": place.subscriber_id,
                "action": "lifted",
                "at": now,
                "source": "cli",
                "evidence": evidence,
            }
            for place in found
        ],
    )
    session.execute(
        update(subscriptions)
        .where(
            subscriptions.c.subscriber_id == found[0].subscriber_id,
            subscriptions.c.newsletter_id.in_([place.newsletter_id for place in found]),
            subscriptions.c.status == Status.COMPLAINED,
        )
        .values(status=Status.UNSUBSCRIBED)
    )


def refuse_suppressed(
    session: Session, address: Address, newsletter_id: int, *, keyring: Keyring
) -> None:
    """Raise Suppressed where an address, or its domain, must not be mailed."""
    hashes = [keyring.address_hash(address.key), keyring.domain_hash(address.domain)]
    row = session.execute(
        select(suppressions.c.scope, suppressions.c.reason).where(
            suppressions.c.value_hash.in_(hashes),
            suppressions.c.newsletter_id.in_([0, newsletter_id]),
        )
    ).first()
    if row is None:
        return
    if row.scope == SuppressionScope.DOMAIN:
        what, remedy = "its domain", f"`mailer suppressions lift @{address.domain}`"
    else:
        what, remedy = "the address", "`mailer subscribers add --lift REASON`"
    raise Suppressed(
        f"{address.as_given}: {what} must not be mailed ({row.reason}); {remedy} ends it"
    )


def forget_value(session: Session, value_hash: bytes) -> None:
    """Keep of a suppression nothing but the hash."""
    session.execute(
        update(suppressions).where(suppressions.c.value_hash == value_hash).values(value=None)
    )


def every(session: Session, *, newsletter_id: int | None = None) -> Iterator[Suppression]:
    """All suppressions in the order they were made, in pages; with an id, those that hold there.

    One that came of a bounce or complaint shows its address while the person is here.
    """
    after = 0
    while True:
        query = (
            select(
                suppressions.c.id,
                func.coalesce(suppressions.c.value, subscribers.c.address_key).label("value"),
                suppressions.c.scope,
                newsletters.c.slug.label("newsletter"),
                suppressions.c.reason,
                suppressions.c.source,
                suppressions.c.at,
            )
            .select_from(
                suppressions.outerjoin(
                    subscribers, subscribers.c.address_hash == suppressions.c.value_hash
                ).outerjoin(newsletters, newsletters.c.id == suppressions.c.newsletter_id)
            )
            .where(suppressions.c.id > after)
            .order_by(suppressions.c.id)
            .limit(_PAGE)
        )
        if newsletter_id is not None:
            query = query.where(suppressions.c.newsletter_id.in_([0, newsletter_id]))
        page = session.execute(query).mappings().all()
        for row in page:
            told = {name: row[name] for name in Suppression.__dataclass_fields__}
            yield Suppression(**told | {"scope": SuppressionScope(row["scope"])})
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]
