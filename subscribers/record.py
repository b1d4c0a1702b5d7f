"""The one writer of events: dedupe, append, apply what changes, in the caller's transaction.

It knows people, not copies: who calls has found out whose delivery an event is about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from subscribers.database import upsert
from subscribers.errors import DatabaseBusy
from subscribers.event import Event, EventType
from subscribers.lifecycle import Change, Count, Policy, decide, faded
from subscribers.model import Status, SuppressionScope
from subscribers.outbox.model import News, NewsType
from subscribers.outbox.queries import tell
from subscribers.tables import (
    consents,
    events,
    newsletters,
    subscribers,
    subscriptions,
    suppressions,
)
from subscribers.transfer.bulk import among, insert_new, update_rows

#: Looks at a message, and where the newest of each is kept.
_LOOKS = {EventType.OPENED: "last_opened_at", EventType.CLICKED: "last_clicked_at"}
#: What the user's own systems are told, where an event has changed a person's place.
_NEWS = {
    EventType.SUBSCRIBED: NewsType.SUBSCRIBED,
    EventType.CONFIRMED: NewsType.CONFIRMED,
    EventType.UNSUBSCRIBED: NewsType.UNSUBSCRIBED,
    EventType.BOUNCED: NewsType.BOUNCED,
    EventType.COMPLAINED: NewsType.COMPLAINED,
}
_LEFT = frozenset({Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED})


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What became of an event; `applied` False: it was recorded before. `effect`: in words."""

    applied: bool
    effect: str


_AGAIN = Recorded(applied=False, effect="ignored: recorded before")


@dataclass(kw_only=True)
class _Place:
    """Where a person stands, while events are applied one after the other."""

    status: Status | None
    soft_bounces: int = 0
    soft_bounced_at: datetime | None = None
    stored: bool = True
    left_at: datetime | None = None
    joined_at: datetime | None = None
    source: str = ""
    last_opened_at: datetime | None = None
    last_clicked_at: datetime | None = None

    def look(self, event: Event) -> bool:
        """Keep when the person last looked; whether that is news."""
        name = _LOOKS.get(event.type)
        if name is None:
            return False
        before = getattr(self, name)
        if before is not None and before >= event.at:
            return False
        setattr(self, name, event.at)
        return True


@dataclass(kw_only=True)
class _Work:
    """All that is known at the start, and all that is to be written at the end."""

    hashes: dict[int, bytes | None]
    places: dict[int, dict[int, _Place]]
    policies: dict[int, Policy]
    changed: dict[tuple[int, int], _Place] = field(default_factory=dict)
    suppressed: dict[bytes, dict[str, object]] = field(default_factory=dict)
    consented: list[dict[str, object]] = field(default_factory=list)
    news: list[News] = field(default_factory=list)


def record(session: Session, event: Event, *, now: datetime) -> Recorded:
    """Record one event and apply what it changes; two at once: exactly one applies."""
    return record_all(session, [event], now=now)[0]


def record_all(session: Session, reported: Sequence[Event], *, now: datetime) -> list[Recorded]:
    """Record events in their order, each by the table of `lifecycle`; answers in that order.

    An event is known by (source, source_id). One without a newsletter concerns all of the
    person's. Raises DatabaseBusy where another process recorded one of them for somebody
    else in this very moment; nothing is changed then.
    """
    people = {event.subscriber_id for event in reported if event.subscriber_id is not None}
    # The lock comes first: it puts those who report about one person in a row.
    work = _read(session, sorted(people), reported)
    seen = _recorded_before(session, reported)
    recorded: list[Recorded] = []
    fresh: list[dict[str, object]] = []
    for event in reported:
        if (event.source, event.source_id) in seen:
            recorded.append(_AGAIN)
            continue
        seen.add((event.source, event.source_id))
        effect = _apply(work, event)
        recorded.append(Recorded(applied=True, effect=effect))
        fresh.append(_row(event, effect, now))
    refused = _append(session, fresh)
    _write(session, work)
    tell(session, work.news, now=now)
    return [
        _AGAIN if one.applied and (event.source, event.source_id) in refused else one
        for one, event in zip(recorded, reported, strict=True)
    ]


def _read(session: Session, people: list[int], reported: Sequence[Event]) -> _Work:
    locked = session.execute(
        select(subscribers.c.id, subscribers.c.address_hash)
        .where(among(session, subscribers.c.id, people))
        .order_by(subscribers.c.id)
        # Not the strongest lock: rows that point to the person may still be inserted.
        .with_for_update(key_share=True)
    )
    hashes = {row.id: row.address_hash for row in locked}
    places: dict[int, dict[int, _Place]] = defaultdict(dict)
    for row in session.execute(
        select(subscriptions).where(among(session, subscriptions.c.subscriber_id, hashes))
    ):
        places[row.subscriber_id][row.newsletter_id] = _Place(
            status=Status(row.status),
            soft_bounces=row.soft_bounces,
            soft_bounced_at=row.soft_bounced_at,
            joined_at=row.joined_at,
            left_at=row.left_at,
            source=row.source,
            last_opened_at=row.last_opened_at,
            last_clicked_at=row.last_clicked_at,
        )
    named = {event.newsletter_id for event in reported if event.newsletter_id is not None}
    named |= {newsletter_id for those in places.values() for newsletter_id in those}
    return _Work(hashes=hashes, places=places, policies=_policies(session, named))


def _policies(session: Session, newsletter_ids: set[int]) -> dict[int, Policy]:
    rows = session.execute(
        select(
            newsletters.c.id,
            newsletters.c.soft_bounce_limit,
            newsletters.c.soft_bounce_days,
            newsletters.c.double_opt_in,
        ).where(newsletters.c.id.in_(newsletter_ids))
    )
    return {
        row.id: Policy(
            soft_bounce_limit=row.soft_bounce_limit,
            soft_bounce_days=row.soft_bounce_days,
            double_opt_in=row.double_opt_in,
        )
        for row in rows
    }


def _recorded_before(session: Session, reported: Sequence[Event]) -> set[tuple[str, str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for event in reported:
        ids[event.source].append(event.source_id)
    seen: set[tuple[str, str]] = set()
    for source, those in ids.items():
        rows = session.execute(
            select(events.c.source_id).where(
                events.c.source == source, among(session, events.c.source_id, those)
            )
        )
        seen.update((source, source_id) for source_id in rows.scalars())
    return seen


def _apply(work: _Work, event: Event) -> str:
    """Change what the event changes in `work`; gives it in words."""
    person = event.subscriber_id
    if person is None or person not in work.hashes:
        return "ignored: names no subscriber"
    if event.newsletter_id is not None:
        concerned = [event.newsletter_id] if event.newsletter_id in work.policies else []
    else:
        concerned = sorted(work.places[person])
    if not concerned:
        return "ignored: names no newsletter"
    effects = [_apply_to(work, event, person, newsletter_id) for newsletter_id in concerned]
    return "; ".join(dict.fromkeys(effects))


def _apply_to(work: _Work, event: Event, person: int, newsletter_id: int) -> str:
    place = work.places[person].get(newsletter_id) or _Place(status=None, stored=False)
    policy = work.policies[newsletter_id]
    counted = faded(place.soft_bounces, place.soft_bounced_at, policy, now=event.at)
    change = decide(place.status, event, policy, soft_bounces=counted)
    looked = place.stored and place.look(event)
    # What was delivered is no news of somebody for whom nothing was counted.
    counts = change.count is Count.ADD or (change.count is Count.RESET and place.soft_bounces > 0)
    moved = change.status is not None or counts
    if moved:
        _move(place, change, event, counted)
    if looked or moved:
        work.places[person][newsletter_id] = place
        work.changed[newsletter_id, person] = place
    value_hash = work.hashes[person]
    if change.suppress and value_hash is not None:
        work.suppressed[value_hash] = _suppression(value_hash, event)
    if change.consent:
        work.consented.append(_consent(change.consent, event, person, newsletter_id))
    if change.status or change.suppress:
        work.news.append(_news(change, place, event, person, newsletter_id))
    return f"{event.type}, the latest so far" if looked else change.words


def _move(place: _Place, change: Change, event: Event, counted: int) -> None:
    if change.count is Count.ADD:
        place.soft_bounces = counted + 1
        # Reports come in any order: what is newest stays.
        place.soft_bounced_at = max(place.soft_bounced_at or event.at, event.at)
    elif change.count is Count.RESET:
        place.soft_bounces = 0
    if change.status is None:
        return
    if change.status in _LEFT:
        place.left_at = event.at
    elif place.status not in (Status.PENDING, Status.ACTIVE):
        place.joined_at, place.left_at, place.source = event.at, None, event.source
    place.status = change.status


def _suppression(value_hash: bytes, event: Event) -> dict[str, object]:
    reason = "complaint" if event.type is EventType.COMPLAINED else event.reason.value
    return {
        "newsletter_id": 0,
        "scope": SuppressionScope.ADDRESS,
        "value_hash": value_hash,
        "reason": reason,
        "source": event.source,
        "at": event.at,
    }


def _consent(action: str, event: Event, person: int, newsletter_id: int) -> dict[str, object]:
    return {
        "newsletter_id": newsletter_id,
        "subscriber_id": person,
        "action": action,
        "at": event.at,
        "source": event.source,
        "evidence": dict(event.evidence),
    }


def _news(change: Change, place: _Place, event: Event, person: int, newsletter_id: int) -> News:
    bounced = event.type is EventType.BOUNCED
    return News(
        type=_NEWS[event.type],
        at=event.at,
        newsletter_id=newsletter_id,
        subscriber_id=person,
        campaign_id=event.campaign_id,
        facts={
            "status": place.status,
            "suppressed": change.suppress,
            "source": event.source,
            **({"reason": event.reason} if bounced else {}),
        },
    )


def _row(event: Event, effect: str, now: datetime) -> dict[str, object]:
    return {
        "type": event.type,
        "at": event.at,
        "recorded_at": now,
        "source": event.source,
        "source_id": event.source_id,
        "hardness": event.hardness,
        "reason": event.reason,
        "newsletter_id": event.newsletter_id,
        "subscriber_id": event.subscriber_id,
        "campaign_id": event.campaign_id,
        "delivery_id": event.delivery_id,
        "effect": effect,
        "evidence": dict(event.evidence),
    }


def _append(session: Session, rows: list[dict[str, object]]) -> set[tuple[object, object]]:
    """Append events; gives those that somebody else appended since we looked."""
    known = insert_new(session, events, rows, key=[events.c.source, events.c.source_id])
    late = [row for row in rows if (row["source"], row["source_id"]) not in known]
    # One about a person can't come between: the person is locked. Unless it named another.
    if any(row["subscriber_id"] is not None for row in late):
        raise DatabaseBusy
    return {(row["source"], row["source_id"]) for row in late}


def _write(session: Session, work: _Work) -> None:
    stored: list[dict[str, object]] = []
    new: list[dict[str, object]] = []
    for (newsletter_id, person), place in work.changed.items():
        values: dict[str, object] = {
            "status": place.status,
            "soft_bounces": place.soft_bounces,
            "soft_bounced_at": place.soft_bounced_at,
            "joined_at": place.joined_at,
            "left_at": place.left_at,
            "source": place.source,
            "last_opened_at": place.last_opened_at,
            "last_clicked_at": place.last_clicked_at,
        }
        (stored if place.stored else new).append(
            values | {"newsletter_id": newsletter_id, "subscriber_id": person}
        )
    update_rows(
        session,
        subscriptions,
        stored,
        key=[subscriptions.c.newsletter_id, subscriptions.c.subscriber_id],
    )
    if new:
        session.execute(insert(subscriptions), new)
    if work.suppressed:
        statement = upsert(session, suppressions).on_conflict_do_nothing(
            index_elements=[suppressions.c.value_hash, suppressions.c.newsletter_id]
        )
        session.execute(statement, [*work.suppressed.values()])
    if work.consented:
        session.execute(insert(consents), work.consented)
