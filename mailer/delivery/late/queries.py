"""What nothing drove for too long waits for a person; what had only to wait goes on."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from mailer.campaign.model import CampaignState
from mailer.campaign.queries import announce
from mailer.campaign.tables import campaigns
from mailer.delivery.tables import chunks
from subscribers.outbox.model import NewsType

_UNSTARTED = (
    "late: its time passed while nothing was running; `mailer campaign resume` starts it now"
)
_SILENT = (
    "late: nothing drove it for longer than late_after (an old backup, a machine that slept);"
    " copies may already have left that this database does not know of; look at the relay's log"
    " before `mailer campaign resume`"
)


def pause_late(session: Session, *, now: datetime, late_after: timedelta) -> list[int]:
    """Pause what should have started, or gone on, long ago: an old backup, a sleeping laptop."""
    unstarted = and_(
        campaigns.c.state == CampaignState.SCHEDULED, campaigns.c.due_at <= now - late_after
    )
    silent = and_(
        campaigns.c.state.in_([CampaignState.PLANNING, CampaignState.SENDING]),
        campaigns.c.alive_at <= now - late_after,
        ~_only_waited(now - late_after),
    )
    reasons = {unstarted: _UNSTARTED, silent: _SILENT}
    paused: list[int] = []
    for condition, reason in reasons.items():
        held = [
            *session.execute(
                update(campaigns)
                .where(condition)
                .values(state=CampaignState.PAUSED, pause_reason=reason, alarm_at=now)
                .returning(campaigns.c.id)
            ).scalars()
        ]
        announce(session, NewsType.PAUSED, held, now=now, reason=reason)
        paused += held
    return paused


def keep_alive(session: Session, *, now: datetime, late_after: timedelta) -> None:
    """Say that running campaigns are being driven; one that fell silent too long is left so.

    Who changes a campaign just now drives it, or stops it: nobody waits for that here.
    """
    driven = (
        select(campaigns.c.id)
        .where(
            campaigns.c.state.in_([CampaignState.PLANNING, CampaignState.SENDING]),
            or_(campaigns.c.alive_at > now - late_after, _only_waited(now - late_after)),
            campaigns.c.alive_at < now,
        )
        .order_by(campaigns.c.id)
        .with_for_update(skip_locked=True, key_share=True)
    )
    session.execute(update(campaigns).where(campaigns.c.id.in_(driven)).values(alive_at=now))


def _only_waited(since: datetime) -> ColumnElement[bool]:
    """Whether no chunk of a campaign has had its time since then: what waits is not silent.

    Of campaigns by each person's own clock alone: their chunks may lie a day and more apart.
    """
    overdue = exists().where(
        chunks.c.campaign_id == campaigns.c.id,
        chunks.c.due_at <= since,
    )
    return and_(
        campaigns.c.local_at.is_not(None), campaigns.c.state == CampaignState.SENDING, ~overdue
    )
