"""Rolling up the ledger of a campaign that is over for long; safe to be cut off and begun again."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignState
from mailer.delivery.archive import queries
from mailer.errors import CampaignRefused
from subscribers.database import Database

#: Unsubscribe links and late reports need the ledger: so long after its end it stays.
KEPT = timedelta(days=365)


def check(database: Database, campaign_id: int, *, now: datetime) -> None:
    """See that a ledger may be rolled up; raises CampaignRefused, CampaignUnknown."""
    with database.read() as session:
        campaign = campaign_queries.get(session, campaign_id)
    if campaign.state not in (CampaignState.FINISHED, CampaignState.CANCELLED):
        raise CampaignRefused(f"campaign {campaign_id} is {campaign.state}: its ledger is in use")
    until = (campaign.finished_at or campaign.created_at) + KEPT
    if now < until:
        raise CampaignRefused(
            f"campaign {campaign_id} ended less than {KEPT.days} days ago: the unsubscribe links"
            f" in its mail need the ledger until {until:%Y-%m-%d}"
        )


def roll_up(database: Database, campaign_id: int, *, now: datetime) -> int:
    """Replace the deliveries of a campaign by their sums; gives how many there were.

    Raises CampaignRefused for one that is not over for long. At every moment deliveries and
    sums together are the audience.
    """
    check(database, campaign_id, now=now)
    with database.write() as session:
        # First of all: from here on nobody may ask who has a copy.
        queries.mark(session, campaign_id, now=now)
    gone = 0
    while True:
        with database.write() as session:
            some = queries.roll_up_some(session, campaign_id)
        if not some:
            break
        gone += some
    with database.write() as session:
        queries.drop_chunks(session, campaign_id)
    return gone
