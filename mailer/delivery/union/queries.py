"""Whose consent stands behind a copy: asked wherever somebody is mailed, leaves or bounces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from mailer.campaign.tables import campaigns
from mailer.delivery.tables import deliveries
from subscribers.union.queries import first_consent


def newsletter_of() -> ColumnElement[int]:
    """The newsletter by whose consent a copy goes; over `deliveries` joined with `campaigns`."""
    return func.coalesce(deliveries.c.newsletter_id, campaigns.c.newsletter_id)


def newest(session: Session) -> int:
    """The id of the newest delivery there is; 0 for none."""
    found: int = session.execute(select(func.coalesce(func.max(deliveries.c.id), 0))).scalar_one()
    return found


def note_consents(
    session: Session,
    campaign_id: int,
    newsletter_ids: Sequence[int],
    *,
    after: int,
    at: datetime,
) -> None:
    """Write by whose consent the copies of a campaign behind a delivery's id go.

    In the transaction that has chosen their people, which sees them as they were then; `at`: the
    moment as of which it has.
    """
    consent = first_consent(newsletter_ids, deliveries.c.subscriber_id, at=at)
    session.execute(
        update(deliveries)
        .where(deliveries.c.campaign_id == campaign_id, deliveries.c.id > after)
        .values(newsletter_id=func.nullif(consent, newsletter_ids[0]))
    )


def consent_of(session: Session, delivery_id: int) -> int:
    """The newsletter by whose consent one copy goes."""
    return session.execute(
        select(newsletter_of())
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(deliveries.c.id == delivery_id)
    ).scalar_one()
