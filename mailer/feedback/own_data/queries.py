"""What the ledger and the subscriptions hold of one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.campaign.tables import campaigns
from mailer.delivery.tables import deliveries
from subscribers.tables import subscriptions


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as its recipient may ask to be told of it."""

    kind: str
    subject: str
    state: str
    reason: str | None
    changed_at: datetime
    later: str | None
    later_at: datetime | None


def messages_to(session: Session, subscriber_id: int) -> list[Message]:
    """Every message a person was meant to get, oldest first."""
    rows = session.execute(
        select(
            deliveries.c.kind,
            campaigns.c.subject,
            deliveries.c.state,
            deliveries.c.reason,
            deliveries.c.changed_at,
            deliveries.c.later,
            deliveries.c.later_at,
        )
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(deliveries.c.subscriber_id == subscriber_id)
        .order_by(deliveries.c.id)
    )
    return [Message(**row) for row in rows.mappings()]


def own_places(session: Session, subscriber_id: int) -> dict[int, dict[str, datetime | None]]:
    """When a person last opened and clicked, and until when they pause, by newsletter."""
    columns = [
        subscriptions.c[name] for name in ("last_opened_at", "last_clicked_at", "paused_until")
    ]
    rows = session.execute(
        select(subscriptions.c.newsletter_id, *columns).where(
            subscriptions.c.subscriber_id == subscriber_id
        )
    )
    return {row["newsletter_id"]: {c.name: row[c.name] for c in columns} for row in rows.mappings()}
