"""The one change: content swapped, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mailer.campaign.model import Campaign, CampaignState
from mailer.campaign.queries import keep_links
from mailer.campaign.tables import campaigns, links, renderings
from mailer.errors import AlreadyScheduled
from mailer.render.model import Rendering
from mailer.render.track import links_of
from subscribers.model import Tracking


def swap(
    session: Session,
    seen: Campaign,
    rendering: Rendering,
    *,
    edition: int,
    leave_out: Sequence[int],
    tracking: Tracking,
) -> bool:
    """Give a campaign other content, where it is as it was seen and has not started.

    False where it is not: a clock that starts it in this moment was first, or sees the new one.
    Raises AlreadyScheduled where another campaign has this content.
    """
    try:
        changed = session.execute(
            update(campaigns)
            .where(
                campaigns.c.id == seen.id,
                campaigns.c.state.in_([CampaignState.SCHEDULED, CampaignState.PAUSED]),
                campaigns.c.snapshot_at.is_(None),
                campaigns.c.checksum == seen.checksum,
            )
            .values(
                checksum=rendering.checksum,
                subject=rendering.title,
                edition=edition,
                leave_out=[*leave_out],
                tracking=tracking,
            )
            .returning(campaigns.c.id)
        ).first()
    except IntegrityError as exc:
        raise AlreadyScheduled from exc
    if changed is None:
        return False
    session.execute(
        update(renderings)
        .where(renderings.c.campaign_id == seen.id)
        .values(format=rendering.format, content=rendering.to_json())
    )
    session.execute(delete(links).where(links.c.campaign_id == seen.id))
    if tracking is not Tracking.OFF:
        keep_links(session, seen.id, links_of(rendering))
    return True
