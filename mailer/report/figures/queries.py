"""Figures of an installation at work, each from few rows or an index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery.tables import chunks, deliveries, pacing, tallies
from mailer.feedback.tables import intake
from subscribers.tables import newsletters, subscriptions

#: Issues that are over stay in the figures for so long: their end is to be seen.
_SEEN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class LaneSum:
    """How the copies of a lane fared, over all campaigns that are not rolled up."""

    lane: str
    tried: int
    hard: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All of them at one moment; lags in seconds."""

    campaigns: tuple[tuple[str, int], ...]
    deliveries: tuple[tuple[int, str, int], ...]
    lanes: tuple[LaneSum, ...]
    slowed: tuple[tuple[str, str, float], ...]
    waiting: int
    clock_lag: float
    due_lag: float
    intake: int
    intake_lag: float
    subscriptions: tuple[tuple[str, str, int], ...]


def figures(session: Session, *, now: datetime) -> Figures:
    """Everything that monitoring is told."""
    issues = campaigns.c.kind == CampaignKind.ISSUE
    driven = campaigns.c.state.in_([CampaignState.PLANNING, CampaignState.SENDING])
    waiting = (CampaignState.SCHEDULED, CampaignState.PLANNING, CampaignState.SENDING)
    by_state = session.execute(
        select(campaigns.c.state, func.count().label("campaigns"))
        .where(issues)
        .group_by(campaigns.c.state)
    ).all()
    silent = session.execute(select(func.min(campaigns.c.alive_at)).where(issues, driven)).scalar()
    due = session.execute(
        select(func.min(campaigns.c.due_at)).where(
            issues, campaigns.c.state == CampaignState.SCHEDULED, campaigns.c.due_at <= now
        )
    ).scalar()
    reports, oldest = session.execute(
        select(func.count(), func.min(intake.c.received_at)).where(intake.c.applied_at.is_(None))
    ).one()
    known = {row.state: row.campaigns for row in by_state}
    return Figures(
        campaigns=tuple((state, known.get(state, 0)) for state in CampaignState),
        deliveries=_deliveries(session, now, [*waiting, CampaignState.PAUSED]),
        lanes=_lanes(session),
        slowed=tuple(
            (row.relay, row.lane, row.rate)
            for row in session.execute(select(pacing).where(pacing.c.rate.is_not(None)))
        ),
        waiting=_chunks_waiting(session, now),
        clock_lag=_since(silent, now),
        due_lag=_since(due, now),
        intake=reports,
        intake_lag=_since(oldest, now),
        subscriptions=tuple(
            (slug, status, count)
            for slug, status, count in session.execute(
                select(newsletters.c.slug, subscriptions.c.status, func.count())
                .join(newsletters, newsletters.c.id == subscriptions.c.newsletter_id)
                .group_by(newsletters.c.slug, subscriptions.c.status)
            )
        ),
    )


def _since(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment is not None else 0.0


def _deliveries(
    session: Session, now: datetime, states: list[CampaignState]
) -> tuple[tuple[int, str, int], ...]:
    shown = and_(
        campaigns.c.kind == CampaignKind.ISSUE,
        or_(campaigns.c.state.in_(states), campaigns.c.finished_at > now - _SEEN),
    )
    rows = session.execute(
        select(deliveries.c.campaign_id, deliveries.c.state, func.count())
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(shown)
        .group_by(deliveries.c.campaign_id, deliveries.c.state)
    )
    return tuple((campaign, state, count) for campaign, state, count in rows)


def _lanes(session: Session) -> tuple[LaneSum, ...]:
    rows = session.execute(
        select(
            tallies.c.lane,
            func.sum(tallies.c.tried).label("tried"),
            func.sum(tallies.c.hard).label("hard"),
            func.sum(tallies.c.refused).label("refused"),
        )
        .group_by(tallies.c.lane)
        .order_by(tallies.c.lane)
    )
    return tuple(
        LaneSum(lane=row.lane, tried=row.tried, hard=row.hard, refused=row.refused) for row in rows
    )


def _chunks_waiting(session: Session, now: datetime) -> int:
    return session.execute(
        select(func.count())
        .select_from(chunks)
        .join(campaigns, campaigns.c.id == chunks.c.campaign_id)
        .where(
            campaigns.c.state == CampaignState.SENDING,
            chunks.c.due_at <= now,
            chunks.c.wave <= campaigns.c.wave,
            or_(chunks.c.lease_until.is_(None), chunks.c.lease_until <= now),
        )
    ).scalar_one()
