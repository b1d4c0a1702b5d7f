"""The clock's look at each campaign under way: canaries held and let go, fuses blown."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from mailer.delivery.fuse import queries
from mailer.delivery.fuse.judge import Trip, shares, trips
from mailer.delivery.fuse.queries import Watched
from mailer.settings import FuseSettings

log = logging.getLogger(__name__)


def watch(session: Session, thresholds: FuseSettings, *, now: datetime) -> None:
    """Hold the campaigns whose figures are bad; let those go on whose canary did well."""
    for campaign in queries.watched(session):
        tallies = queries.tallied(session, campaign.id)
        bad = trips(tallies, thresholds, blown=campaign.blown)
        if bad:
            reason = _words(campaign.id, bad)
            if queries.blow(session, campaign.id, reason=reason, shares=shares(tallies), now=now):
                log.error(
                    "campaign %s is paused: %s",
                    campaign.id,
                    reason,
                    extra={"campaign": campaign.id},
                )
        elif campaign.canary_size is not None and campaign.wave == 0:
            _hold_canary(session, campaign, now=now)


def _hold_canary(session: Session, campaign: Watched, *, now: datetime) -> None:
    """The hold begins once the canary is out, and ends by itself: its figures are fine."""
    if campaign.canary_at is None:
        if queries.canary_is_out(session, campaign.id):
            queries.note_canary(session, campaign.id, now=now)
        return
    over = campaign.canary_at + timedelta(seconds=campaign.canary_hold) <= now
    if over and queries.release(session, campaign.id, now=now):
        log.warning(
            "campaign %s: its canary did well, the rest goes out",
            campaign.id,
            extra={"campaign": campaign.id},
        )


def _words(campaign_id: int, bad: list[Trip]) -> str:
    told = "; ".join(str(trip) for trip in bad[:4])
    more = f"; and {len(bad) - 4} more" if len(bad) > 4 else ""
    return (
        f"the fuse blew: {told}{more}; look into `mailer campaign report {campaign_id}`, then"
        f" `mailer campaign resume {campaign_id}` lets it go on until figures get worse, or"
        f" `mailer campaign cancel {campaign_id}` ends it"
    )
