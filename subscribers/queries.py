"""Reads and writes of people and newsletters; each takes a Session and gives frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Column, ColumnElement, RowMapping, Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from subscribers.address import Address
from subscribers.attribute.model import checked
from subscribers.attribute.queries import definitions
from subscribers.database import upsert
from subscribers.errors import NewsletterTaken, NewsletterUnknown, SubscriberUnknown
from subscribers.event import Event, EventType
from subscribers.lifecycle import TO_BE_CONFIRMED
from subscribers.model import (
    Agreement,
    Consent,
    Member,
    Newsletter,
    OwnerMail,
    Person,
    Status,
    Subscriber,
    Subscription,
    SuppressionScope,
    Tracking,
    UnknownPolicy,
)
from subscribers.privacy.queries import strip
from subscribers.record import Recorded, record
from subscribers.suppression import queries as suppressed
from subscribers.suppression.queries import Named
from subscribers.tables import (
    consents,
    subscribers,
    subscriptions,
    suppressions,
)
from subscribers.tables import (
    newsletters as newsletters_table,
)
from subscribers.token import Keyring

_NEWSLETTER = [newsletters_table.c[name] for name in Newsletter.__dataclass_fields__]
_SUBSCRIBER = [subscribers.c[name] for name in Subscriber.__dataclass_fields__]
_SUBSCRIPTION = [subscriptions.c[name] for name in Subscription.__dataclass_fields__]
_CONSENT = [consents.c[name] for name in Consent.__dataclass_fields__]
_PAGE = 1000


# --- newsletters


def add_newsletter(session: Session, newsletter: Newsletter, *, now: datetime) -> Newsletter:
    """Insert a newsletter (its `id` is ignored) and give it with its id.

    Raises NewsletterTaken where its slug is.
    """
    values = _newsletter_values(newsletter) | {"created_at": now}
    statement = upsert(session, newsletters_table).on_conflict_do_nothing()
    row = session.execute(statement.values(values).returning(*_NEWSLETTER)).mappings().first()
    if row is None:
        raise NewsletterTaken(f"there is a newsletter {newsletter.slug!r} already; choose another")
    return _newsletter(row)


def set_newsletter(session: Session, newsletter: Newsletter) -> None:
    """Write a newsletter's row anew, by its id; raises NewsletterUnknown, NewsletterTaken."""
    try:
        changed = session.execute(
            update(newsletters_table)
            .where(newsletters_table.c.id == newsletter.id)
            .values(_newsletter_values(newsletter))
            .returning(newsletters_table.c.id)
        ).first()
    except IntegrityError as exc:
        raise NewsletterTaken from exc
    if changed is None:
        raise NewsletterUnknown


def newsletter(session: Session, newsletter_id: int) -> Newsletter:
    """The newsletter of this id; raises NewsletterUnknown."""
    return _newsletter_where(
        session, select(*_NEWSLETTER).where(newsletters_table.c.id == newsletter_id)
    )


def hold_newsletter(session: Session, newsletter_id: int) -> Newsletter:
    """The newsletter of this id, which nobody else changes meanwhile; raises NewsletterUnknown."""
    this = select(*_NEWSLETTER).where(newsletters_table.c.id == newsletter_id)
    return _newsletter_where(session, this.with_for_update())


def newsletter_by_slug(session: Session, slug: str) -> Newsletter:
    """The newsletter of this short name; raises NewsletterUnknown, which names those there are."""
    try:
        return _newsletter_where(
            session, select(*_NEWSLETTER).where(newsletters_table.c.slug == slug)
        )
    except NewsletterUnknown as exc:
        there_are = ", ".join(one.slug for one in newsletters(session))
        remedy = f"there are: {there_are}" if there_are else "`mailer init` makes one"
        raise NewsletterUnknown(f"there is no newsletter {slug!r}; {remedy}") from exc


def newsletters(session: Session) -> list[Newsletter]:
    """All newsletters, by short name."""
    rows = session.execute(select(*_NEWSLETTER).order_by(newsletters_table.c.slug)).mappings()
    return [_newsletter(row) for row in rows]


def _newsletter_where(session: Session, query: Select[*tuple[object, ...]]) -> Newsletter:
    row = session.execute(query).mappings().first()
    if row is None:
        raise NewsletterUnknown
    return _newsletter(row)


def _newsletter(row: RowMapping) -> Newsletter:
    values = dict(row)
    values["give_up_after"] = timedelta(seconds=values["give_up_after"])
    values["unknown_policy"] = UnknownPolicy(values["unknown_policy"])
    values["tracking"] = Tracking(values["tracking"])
    values["owner_mail"] = OwnerMail(values["owner_mail"])
    return Newsletter(**values)


def _newsletter_values(newsletter: Newsletter) -> dict[str, object]:
    values = {name: getattr(newsletter, name) for name in Newsletter.__dataclass_fields__}
    del values["id"]
    return values | {"give_up_after": int(newsletter.give_up_after.total_seconds())}


# --- one person


def add(
    session: Session,
    address: Address,
    newsletter: Newsletter,
    *,
    keyring: Keyring,
    now: datetime,
    name: str = "",
    language: str | None = None,
    timezone: str | None = None,
    attributes: Mapping[str, object] | None = None,
    tags: tuple[str, ...] = (),
    confirmed: bool = True,
    source: str = "cli",
    lift: str | None = None,
    agreement: Agreement | None = None,
) -> tuple[int, Recorded]:
    """Subscribe one person; gives their id and what became of it.

    Somebody who left is subscribed again. Raises Suppressed where the address must never be
    mailed, unless `lift`, a reason that stays on record, ends what is noted against the
    address itself. Without `confirmed` a newsletter with double opt-in leaves them pending,
    and any newsletter those who had left it. `agreement`: what they agreed to, and where.
    """
    address_hash = keyring.address_hash(address.key)
    if lift:
        what = Named(scope=SuppressionScope.ADDRESS, value=address.key)
        suppressed.lift(
            session, what, keyring=keyring, newsletter_id=newsletter.id, reason=lift, now=now
        )
    suppressed.refuse_suppressed(session, address, newsletter.id, keyring=keyring)
    if attributes:
        attributes = checked(attributes, definitions(session))
    person = {"name": name, "language": language, "timezone": timezone}
    subscriber_id = _upsert_person(
        session,
        {
            "address": address.as_given,
            "address_key": address.key,
            "address_hash": address_hash,
            "domain": address.domain,
            "domain_hash": keyring.domain_hash(address.domain),
            "created_at": now,
        },
        {key: value for key, value in person.items() if value}
        | ({"attributes": dict(attributes)} if attributes else {})
        | ({"tags": [*tags]} if tags else {}),
    )
    told = agreement.evidence() if agreement else {}
    if lift:
        # Of somebody who was erased there was nobody to note it of before.
        told = told | {"lifted": lift}
    joined = _happened(session, subscriber_id, newsletter, EventType.SUBSCRIBED, source, now, told)
    if not confirmed or not joined.effect.endswith(TO_BE_CONFIRMED):
        return subscriber_id, joined
    sure = _happened(session, subscriber_id, newsletter, EventType.CONFIRMED, source, now, told)
    return subscriber_id, sure


def find(session: Session, address: Address) -> Subscriber:
    """The person of this address; raises SubscriberUnknown."""
    row = (
        session.execute(select(*_SUBSCRIBER).where(subscribers.c.address_key == address.key))
        .mappings()
        .first()
    )
    if row is None:
        raise SubscriberUnknown(
            f"nobody here has the address {address.as_given};"
            " `mailer subscribers list` shows those there are"
        )
    return subscriber_of(row)


def show(session: Session, address: Address, *, keyring: Keyring) -> Person:
    """All that is known of a person, as they may ask to be told; raises SubscriberUnknown."""
    subscriber = find(session, address)
    hashes = [keyring.address_hash(address.key), keyring.domain_hash(address.domain)]
    places = session.execute(
        select(*_SUBSCRIPTION).where(subscriptions.c.subscriber_id == subscriber.id)
    )
    agreed = session.execute(
        select(*_CONSENT).where(consents.c.subscriber_id == subscriber.id).order_by(consents.c.id)
    )
    reasons = session.execute(
        select(suppressions.c.reason).where(suppressions.c.value_hash.in_(hashes))
    )
    return Person(
        subscriber=subscriber,
        subscriptions=tuple(_subscription(row) for row in places.mappings()),
        consents=tuple(Consent(**row) for row in agreed.mappings()),
        suppressed_for=tuple(reasons.scalars()),
    )


def unsubscribe(
    session: Session,
    subscriber_id: int,
    newsletter: Newsletter | None,
    *,
    now: datetime,
    source: str = "cli",
) -> Recorded:
    """End one subscription, or with None all of them."""
    return _happened(session, subscriber_id, newsletter, EventType.UNSUBSCRIBED, source, now)


def remove(session: Session, address: Address, *, keyring: Keyring, now: datetime) -> int:
    """Erase a person: nothing that names them stays but a keyed hash, so that no import
    brings them back. Gives the id that stays for the ledger; raises SubscriberUnknown.
    """
    subscriber = find(session, address)
    unsubscribe(session, subscriber.id, None, now=now)
    what = Named(scope=SuppressionScope.ADDRESS, value=address.key)
    suppressed.suppress(session, what, keyring=keyring, reason=suppressed.ERASED, now=now)
    suppressed.forget_value(session, what.hash(keyring))
    strip(session, [subscriber.id], now=now)
    return subscriber.id


def _happened(
    session: Session,
    subscriber_id: int,
    newsletter: Newsletter | None,
    kind: EventType,
    source: str,
    now: datetime,
    evidence: Mapping[str, str] | None = None,
) -> Recorded:
    event = Event(
        type=kind,
        at=now,
        source=source,
        # Each time is an act of its own; none is ever reported twice.
        source_id=uuid4().hex,
        newsletter_id=newsletter.id if newsletter else None,
        subscriber_id=subscriber_id,
        evidence=evidence or {},
    )
    return record(session, event, now=now)


def _upsert_person(session: Session, identity: dict[str, object], told: dict[str, object]) -> int:
    """Insert a person, or write what was told about one who is here."""
    statement = upsert(session, subscribers).values(identity | told)
    # Something must be set for the row to be returned.
    changes = told or {"address_key": identity["address_key"]}
    statement = statement.on_conflict_do_update(
        index_elements=[subscribers.c.address_key], set_=changes
    )
    subscriber_id: int = session.execute(statement.returning(subscribers.c.id)).scalar_one()
    return subscriber_id


# --- many people


def members(
    session: Session, newsletter_id: int, *, status: Status | None = None, limit: int | None = None
) -> Iterator[Member]:
    """The people of a newsletter by id, in pages, so that memory stays flat."""
    after, left = 0, limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(left, _PAGE)
        # Of both tables: PostgreSQL would read all of the other up to there, page by page.
        conditions = [subscriptions.c.subscriber_id > after, subscribers.c.id > after]
        if status is not None:
            conditions.append(subscriptions.c.status == status)
        page = members_where(session, newsletter_id, *conditions, limit=size)
        yield from page
        if len(page) < size:
            return
        after = page[-1].subscriber.id
        left = None if left is None else left - size


def members_where(
    session: Session, newsletter_id: int, *conditions: ColumnElement[bool], limit: int
) -> list[Member]:
    """People of a newsletter of whom all this is true, by id; nobody who was erased."""
    query = (
        select(
            *_SUBSCRIBER,
            subscriptions.c.status,
            subscriptions.c.joined_at,
            subscriptions.c.left_at,
        )
        .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
        .where(
            subscriptions.c.newsletter_id == newsletter_id,
            subscribers.c.address.is_not(None),
            *conditions,
        )
        .order_by(subscriptions.c.subscriber_id)
        .limit(limit)
    )
    return [
        Member(
            subscriber=subscriber_of(row),
            status=Status(row["status"]),
            joined_at=row["joined_at"],
            left_at=row["left_at"],
        )
        for row in session.execute(query).mappings()
    ]


def consents_of(
    session: Session, newsletter_id: int, subscriber_ids: list[int]
) -> dict[int, list[Consent]]:
    """What each of these people agreed to in a newsletter, oldest first."""
    found: dict[int, list[Consent]] = {}
    rows = session.execute(
        select(consents.c.subscriber_id, *_CONSENT)
        .where(
            consents.c.newsletter_id == newsletter_id, consents.c.subscriber_id.in_(subscriber_ids)
        )
        .order_by(consents.c.id)
    )
    for row in rows.mappings():
        values = dict(row)
        found.setdefault(values.pop("subscriber_id"), []).append(Consent(**values))
    return found


def subscriber_columns() -> list[Column[object]]:
    """What `subscriber_of` reads."""
    return [*_SUBSCRIBER]


def subscriber_of(row: RowMapping) -> Subscriber:
    """The person of a row with `subscriber_columns`."""
    values = {name: row[name] for name in Subscriber.__dataclass_fields__}
    return Subscriber(**values | {"tags": tuple(values["tags"])})


def _subscription(row: RowMapping) -> Subscription:
    return Subscription(**dict(row) | {"status": Status(row["status"])})
