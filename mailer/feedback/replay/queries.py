"""Reads the past, and gives people back their place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.orm import Session

from mailer.feedback.replay.judge import OPEN, REPLAY, Difference, Past
from subscribers.event import Event, EventType, Hardness
from subscribers.lifecycle import Policy
from subscribers.model import Status, SuppressionScope
from subscribers.reason import ABOUT_ADDRESS, Reason
from subscribers.tables import (
    consents,
    events,
    newsletters,
    subscribers,
    subscriptions,
    suppressions,
)


def pasts(session: Session, *, after: int, most: int) -> list[Past]:
    """The places of the next `most` people of whom any bounce was recorded, by id."""
    bounced = (
        select(events.c.subscriber_id)
        .where(events.c.type == EventType.BOUNCED, events.c.subscriber_id > after)
        .distinct()
        .order_by(events.c.subscriber_id)
        .limit(most)
    )
    people = [*session.execute(bounced).scalars()]
    told = _events_of(session, people)
    rows = session.execute(
        select(
            subscriptions.c.newsletter_id,
            subscriptions.c.subscriber_id,
            subscriptions.c.status,
            subscribers.c.address,
        )
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(subscriptions.c.subscriber_id.in_(people), subscriptions.c.status.in_(OPEN))
        .order_by(subscriptions.c.subscriber_id, subscriptions.c.newsletter_id)
    )
    return [
        Past(
            newsletter_id=row.newsletter_id,
            subscriber_id=row.subscriber_id,
            address=row.address or "",
            status=Status(row.status),
            events=[
                event
                for event in told[row.subscriber_id]
                if event.newsletter_id in (None, row.newsletter_id)
            ],
        )
        for row in rows
    ]


def _events_of(session: Session, people: Collection[int]) -> dict[int, list[Event]]:
    told: dict[int, list[Event]] = defaultdict(list)
    for row in session.execute(
        select(events)
        .where(events.c.subscriber_id.in_(people), events.c.source != REPLAY)
        .order_by(events.c.at, events.c.id)
    ):
        told[row.subscriber_id].append(
            Event(
                type=EventType(row.type),
                at=row.at,
                source=row.source,
                source_id=row.source_id,
                hardness=Hardness(row.hardness) if row.hardness else None,
                reason=Reason(row.reason),
                newsletter_id=row.newsletter_id,
                subscriber_id=row.subscriber_id,
                campaign_id=row.campaign_id,
                delivery_id=row.delivery_id,
                evidence=row.evidence,
            )
        )
    return told


def policies(session: Session) -> dict[int, Policy]:
    """What each newsletter has decided."""
    rows = session.execute(
        select(
            newsletters.c.id,
            newsletters.c.soft_bounce_limit,
            newsletters.c.soft_bounce_days,
            newsletters.c.double_opt_in,
        )
    )
    return {
        row.id: Policy(
            soft_bounce_limit=row.soft_bounce_limit,
            soft_bounce_days=row.soft_bounce_days,
            double_opt_in=row.double_opt_in,
        )
        for row in rows
    }


def set_count(session: Session, difference: Difference) -> None:
    """Count soft bounces as they were counted anew, but for the one that decides."""
    past = difference.past
    session.execute(
        update(subscriptions)
        .where(
            subscriptions.c.newsletter_id == past.newsletter_id,
            subscriptions.c.subscriber_id == past.subscriber_id,
        )
        .values(
            soft_bounces=max(0, difference.soft_bounces - 1),
            soft_bounced_at=difference.event.at,
        )
    )


def give_back(session: Session, difference: Difference, *, now: datetime) -> bool:
    """Make a bounced person active again, and lift what their bounces alone had suppressed.

    What people decided stays: a complaint, or a suppression that somebody entered. False where
    the person is no longer bounced.
    """
    past = difference.past
    changed = session.execute(
        update(subscriptions)
        .where(
            subscriptions.c.newsletter_id == past.newsletter_id,
            subscriptions.c.subscriber_id == past.subscriber_id,
            subscriptions.c.status == Status.BOUNCED,
        )
        .values(status=Status.ACTIVE, left_at=None, soft_bounces=difference.soft_bounces)
        .returning(subscriptions.c.subscriber_id)
    ).first()
    if changed is None:
        return False
    address_hash = select(subscribers.c.address_hash).where(subscribers.c.id == past.subscriber_id)
    session.execute(
        delete(suppressions).where(
            suppressions.c.value_hash == address_hash.scalar_subquery(),
            suppressions.c.scope == SuppressionScope.ADDRESS,
            or_(*(suppressions.c.reason == reason.value for reason in ABOUT_ADDRESS)),
            suppressions.c.source.in_({event.source for event in past.events}),
        )
    )
    session.execute(
        insert(consents).values(
            newsletter_id=past.newsletter_id,
            subscriber_id=past.subscriber_id,
            action="restored",
            at=now,
            source=REPLAY,
            evidence={"why": difference.why},
        )
    )
    return True
