"""What is kept of people: counted, handed out, and ended when its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Row,
    ScalarSelect,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from subscribers.event import EventType
from subscribers.model import Status
from subscribers.outbox.model import News, NewsType
from subscribers.outbox.queries import tell
from subscribers.tables import consents, events, subscribers, subscriptions, suppressions

#: Events that say what somebody did with a message, and no more: nothing later depends on them.
_PASSING = (
    EventType.DELIVERED,
    EventType.DEFERRED,
    EventType.OPENED,
    EventType.CLICKED,
    EventType.AUTO_REPLY,
)
_LOOKS = (EventType.OPENED, EventType.CLICKED)
#: What a record of consent is called that only asks.
REQUESTED = "requested"
#: Rows that end in one statement, so that nobody waits long for the database.
AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One event of a person's, as they may ask to be told."""

    type: str
    at: datetime
    source: str
    reason: str
    effect: str
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Holding:
    """One kind of record: what it is, how many there are, since when."""

    what: str
    count: int
    oldest: datetime | None


def events_of(session: Session, subscriber_id: int) -> list[Happened]:
    """All that was reported about a person, oldest first."""
    columns = [events.c[name] for name in Happened.__dataclass_fields__]
    rows = session.execute(
        select(*columns).where(events.c.subscriber_id == subscriber_id).order_by(events.c.id)
    )
    return [Happened(**row) for row in rows.mappings()]


def holdings(session: Session) -> list[Holding]:
    """How much of each kind of record about people there is."""
    active = exists().where(
        subscriptions.c.subscriber_id == subscribers.c.id, subscriptions.c.status == Status.ACTIVE
    )
    named, count = subscribers.c.address.is_not(None), func.count()
    born, joined = func.min(subscribers.c.created_at), func.min(subscriptions.c.joined_at)
    kinds: dict[str, Select[int, datetime | None]] = {
        "people with an address": select(count, born).where(named),
        "people with an address and no active subscription": select(count, born).where(
            named, ~active
        ),
        "people erased": select(count, func.min(subscribers.c.erased_at)).where(~named),
        "subscriptions never confirmed": select(count, joined).where(
            subscriptions.c.status == Status.PENDING
        ),
        "records of consent": select(count, func.min(consents.c.at)).select_from(consents),
        "suppressions by hash alone": select(count, func.min(suppressions.c.at)).where(
            suppressions.c.value.is_(None)
        ),
        "suppressions that name what they are of": select(count, func.min(suppressions.c.at)).where(
            suppressions.c.value.is_not(None)
        ),
        "events: opens and clicks, each by its person": select(count, func.min(events.c.at)).where(
            events.c.type.in_(_LOOKS), events.c.subscriber_id.is_not(None)
        ),
        "events: deliveries, delays, automatic replies": select(count, func.min(events.c.at)).where(
            events.c.type.in_(_PASSING), events.c.type.not_in(_LOOKS)
        ),
        "events: bounces, complaints, subscriptions": select(count, func.min(events.c.at)).where(
            events.c.type.not_in(_PASSING)
        ),
    }
    found = []
    for what, query in kinds.items():
        number, oldest = session.execute(query).one()
        found.append(Holding(what=what, count=number, oldest=oldest))
    return found


def purge_looks(session: Session, *, before: datetime) -> int:
    """End some of the old deliveries, opens and clicks; gives how many."""
    old = (
        select(events.c.id).where(events.c.type.in_(_PASSING), events.c.at < before).limit(AT_ONCE)
    )
    return len(
        session.execute(delete(events).where(events.c.id.in_(old)).returning(events.c.id)).all()
    )


def purge_pending(session: Session, *, before: datetime, now: datetime) -> int:
    """Forget some of those who were asked long ago and never confirmed; gives how many.

    They never agreed: nothing of them stays, not even a suppression, so that they may ask again.
    Who had been here before they asked again has left, as before: that they once withdrew is
    on record, and keeps an old list from bringing them back.
    """
    asked_again = _told_before_asking()
    places = session.execute(
        select(
            subscriptions.c.newsletter_id, subscriptions.c.subscriber_id, asked_again.label("since")
        )
        .where(subscriptions.c.status == Status.PENDING, subscriptions.c.joined_at < before)
        .limit(AT_ONCE)
    ).all()
    for place in places:
        if place.since is not None:
            session.execute(
                update(subscriptions)
                .where(_of(subscriptions, place))
                .values(status=Status.UNSUBSCRIBED, left_at=place.since)
            )
            continue
        for table in (subscriptions, consents):
            session.execute(delete(table).where(_of(table, place)))
    alone = ~exists().where(subscriptions.c.subscriber_id == subscribers.c.id)
    ids = {place.subscriber_id for place in places}
    strip(
        session,
        [
            *session.execute(
                select(subscribers.c.id).where(subscribers.c.id.in_(ids), alone)
            ).scalars()
        ],
        now=now,
    )
    return len(places)


def _told_before_asking() -> ScalarSelect[datetime | None]:
    """When a pending person last said anything else before they asked; null: never."""
    earlier, asked = consents.alias("earlier"), consents.alias("asked")
    here = (
        earlier.c.newsletter_id == subscriptions.c.newsletter_id,
        earlier.c.subscriber_id == subscriptions.c.subscriber_id,
    )
    later = exists().where(
        asked.c.newsletter_id == earlier.c.newsletter_id,
        asked.c.subscriber_id == earlier.c.subscriber_id,
        asked.c.action == REQUESTED,
        asked.c.id > earlier.c.id,
    )
    return (
        select(func.max(earlier.c.at))
        .where(*here, earlier.c.action != REQUESTED, later)
        .correlate(subscriptions)
        .scalar_subquery()
    )


def _of(table: Table, place: Row[tuple[int, int, datetime | None]]) -> ColumnElement[bool]:
    return and_(
        table.c.newsletter_id == place.newsletter_id, table.c.subscriber_id == place.subscriber_id
    )


def strip(session: Session, subscriber_ids: list[int], *, now: datetime) -> None:
    """Take from people all that names them; the bare ids stay for the ledger."""
    emptied = dict.fromkeys(
        ("address", "address_key", "address_hash", "domain", "domain_hash", "language", "timezone")
    )
    session.execute(
        update(subscribers)
        .where(subscribers.c.id.in_(subscriber_ids))
        .values(emptied | {"name": "", "attributes": {}, "tags": [], "erased_at": now})
    )
    # What they opened and clicked is nobody's business any more; the sums have no names in them.
    session.execute(
        delete(events).where(events.c.subscriber_id.in_(subscriber_ids), events.c.type.in_(_LOOKS))
    )
    session.execute(
        update(subscriptions)
        .where(subscriptions.c.subscriber_id.in_(subscriber_ids))
        .values(last_opened_at=None, last_clicked_at=None)
    )
    # That consent was given stays; what was said with it may name the person.
    for table in (consents, events):
        session.execute(
            update(table).where(table.c.subscriber_id.in_(subscriber_ids)).values(evidence={})
        )
    erased = [News(type=NewsType.ERASED, at=now, subscriber_id=one) for one in subscriber_ids]
    tell(session, erased, now=now)
