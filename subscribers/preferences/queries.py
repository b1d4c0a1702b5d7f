"""Reads and writes of what people set about themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from subscribers.preferences.model import Preferences
from subscribers.tables import subscribers, subscriptions


def preferences_of(session: Session, subscriber_id: int) -> Preferences | None:
    """What a person has set; None once they are erased."""
    row = session.execute(
        select(subscribers.c.name, subscribers.c.language, subscribers.c.timezone).where(
            subscribers.c.id == subscriber_id, subscribers.c.address.is_not(None)
        )
    ).first()
    if row is None:
        return None
    return Preferences(name=row.name, language=row.language, timezone=row.timezone)


def set_preferences(session: Session, subscriber_id: int, preferences: Preferences) -> None:
    """Write what a person has set; nothing where they are erased."""
    session.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber_id, subscribers.c.address.is_not(None))
        .values(
            name=preferences.name,
            language=preferences.language,
            timezone=preferences.timezone,
        )
    )


def pauses(session: Session, subscriber_id: int, *, now: datetime) -> dict[int, datetime]:
    """Until when a person wants no issues, by newsletter, where that is still to come."""
    rows = session.execute(
        select(subscriptions.c.newsletter_id, subscriptions.c.paused_until).where(
            subscriptions.c.subscriber_id == subscriber_id, subscriptions.c.paused_until > now
        )
    )
    return {row.newsletter_id: row.paused_until for row in rows}


def pause(
    session: Session, subscriber_id: int, newsletter_id: int, *, until: datetime | None
) -> None:
    """Send a person no issues until then, or with None every issue again."""
    session.execute(
        update(subscriptions)
        .where(
            subscriptions.c.subscriber_id == subscriber_id,
            subscriptions.c.newsletter_id == newsletter_id,
        )
        .values(paused_until=until)
    )
