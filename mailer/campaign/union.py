"""Several newsletters as the audience of one campaign: which, and what may be counted."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from mailer.campaign.model import Campaign
from mailer.errors import CampaignRefused
from subscribers import queries as people
from subscribers.model import Newsletter, Tracking

#: From what tells least of people to what tells most.
_TELLING = tuple(Tracking)


def further(newsletter: Newsletter, also: Sequence[Newsletter]) -> tuple[int, ...]:
    """The ids of a campaign's further newsletters; raises CampaignRefused for one named twice."""
    seen = {newsletter.id}
    for one in also:
        if one.id in seen:
            raise CampaignRefused(f"the readers of {one.slug} are named twice; leave one out")
        seen.add(one.id)
    return tuple(one.id for one in also)


def slugs(session: Session, campaign: Campaign) -> list[str]:
    """The short names of a campaign's further newsletters, in order."""
    return [people.newsletter(session, one).slug for one in campaign.also]


def tracking(session: Session, newsletter: Newsletter, also: Sequence[int]) -> Tracking:
    """What is counted of a campaign's opens and clicks: as little as any of its newsletters says.

    Who agreed to a newsletter that counts nothing is not counted because of another one.
    """
    others = [people.newsletter(session, one).tracking for one in also]
    return min((newsletter.tracking, *others), key=_TELLING.index)
