"""Which issues stand still, told from few rows; each is found once until it moves on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery.model import DeliveryState
from mailer.delivery.tables import chunks, deliveries, progress, tallies
from subscribers.database import upsert


@dataclass(frozen=True, kw_only=True)
class Stalled:
    """An issue that has work to do and does none, since when."""

    campaign_id: int
    newsletter_id: int
    subject: str
    tried: int
    audience: int
    since: datetime


def stalled(session: Session, *, now: datetime, after: timedelta) -> list[Stalled]:
    """The issues that did nothing for so long; marked as found in this transaction.

    What waits for its time does not stand still: copies put off, a lane's limit, a canary,
    people whose own clocks do not show it yet.
    """
    sending = (
        campaigns.c.state == CampaignState.SENDING,
        campaigns.c.kind == CampaignKind.ISSUE,
    )
    session.execute(
        delete(progress).where(
            progress.c.campaign_id.not_in(select(campaigns.c.id).where(*sending))
        )
    )
    tried = (
        select(func.coalesce(func.sum(tallies.c.tried), 0))
        .where(tallies.c.campaign_id == campaigns.c.id)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            campaigns.c.id,
            campaigns.c.newsletter_id,
            campaigns.c.subject,
            campaigns.c.audience,
            tried.label("tried"),
            progress.c.tried.label("before"),
            progress.c.since,
            progress.c.told_at,
        )
        .outerjoin(progress, progress.c.campaign_id == campaigns.c.id)
        .where(*sending)
    ).all()
    found = []
    for row in rows:
        if row.before != row.tried:
            _moved_on(session, row.id, row.tried, now=now)
        elif (
            row.told_at is None
            and row.since <= now - after
            and _has_work(session, row.id, now, after)
        ):
            told = update(progress).where(
                progress.c.campaign_id == row.id, progress.c.told_at.is_(None)
            )
            if session.execute(told.values(told_at=now).returning(progress.c.campaign_id)).first():
                found.append(
                    Stalled(
                        campaign_id=row.id,
                        newsletter_id=row.newsletter_id,
                        subject=row.subject,
                        tried=row.tried,
                        audience=row.audience,
                        since=row.since,
                    )
                )
    return found


def _moved_on(session: Session, campaign_id: int, tried: int, *, now: datetime) -> None:
    statement = upsert(session, progress).values(campaign_id=campaign_id, tried=tried, since=now)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[progress.c.campaign_id],
            set_={"tried": tried, "since": now, "told_at": None},
        )
    )


def _has_work(session: Session, campaign_id: int, now: datetime, after: timedelta) -> bool:
    """Whether a chunk is due, or was let go for a moment, with copies that never flew."""
    untried = exists().where(
        deliveries.c.chunk_id == chunks.c.id,
        deliveries.c.state == DeliveryState.QUEUED,
        deliveries.c.attempt == 0,
    )
    work = (
        exists()
        .where(
            chunks.c.campaign_id == campaign_id,
            campaigns.c.id == chunks.c.campaign_id,
            chunks.c.wave <= campaigns.c.wave,
            # A relay that does not answer puts chunks off for a minute at a time.
            chunks.c.due_at <= now + timedelta(minutes=2),
            # What has waited for its time stands still from then on.
            or_(chunks.c.opens_at.is_(None), chunks.c.opens_at <= now - after),
        )
        .where(untried)
    )
    return bool(session.execute(select(work)).scalar_one())
