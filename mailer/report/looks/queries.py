"""Opens and clicks of one campaign in figures: all that came, beside what people did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign
from mailer.feedback.track import queries as track_queries
from mailer.feedback.track.model import Looker
from mailer.feedback.track.queries import Sum
from subscribers.event import EventType
from subscribers.model import Tracking

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`raw`: all; `human`: without machines; `people`: how many those were, None: not known."""

    raw: int
    human: int
    people: int | None


@dataclass(frozen=True, kw_only=True)
class LinkFigure:
    """How often one link was followed."""

    number: int
    url: str
    clicks: Figure


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Opens and clicks; links most followed by people first; machines by how they were told."""

    tracking: Tracking
    opens: Figure
    clicks: Figure
    machines: dict[str, int]
    links: tuple[LinkFigure, ...]


def looks_of(session: Session, campaign: Campaign) -> Looks | None:
    """The opens and clicks of a campaign; None where they are not counted."""
    if campaign.tracking is Tracking.OFF:
        return None
    sums = track_queries.sums_of(session, campaign.id)
    known = campaign.tracking is Tracking.FULL
    machines: Counter[str] = Counter()
    for one in sums:
        if one.link == 0 and one.looker is not Looker.PERSON:
            machines[one.looker] += one.count
    clicks = [one for one in sums if one.type is EventType.CLICKED]
    links = [
        LinkFigure(
            number=number,
            url=url,
            clicks=_figure([one for one in clicks if one.link == number], known=known),
        )
        for number, url in enumerate(campaign_queries.links_of_campaign(session, campaign.id), 1)
    ]
    return Looks(
        tracking=campaign.tracking,
        opens=_figure([one for one in sums if one.type is EventType.OPENED], known=known),
        clicks=_figure([one for one in clicks if one.link == 0], known=known),
        machines=dict(machines.most_common()),
        links=tuple(sorted(links, key=lambda link: (-link.clicks.human, link.number))),
    )


def _figure(sums: Sequence[Sum], *, known: bool) -> Figure:
    persons = [one for one in sums if one.looker is Looker.PERSON]
    return Figure(
        raw=sum(one.count for one in sums),
        human=sum(one.count for one in persons),
        people=sum(one.people for one in persons) if known else None,
    )
