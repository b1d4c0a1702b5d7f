"""What is told of several issues at once; few statements, however many issues there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select, text
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, CampaignKind
from mailer.campaign.tables import campaigns
from mailer.delivery.model import FINAL, DeliveryState
from mailer.delivery.tables import deliveries, rollups
from mailer.report.looks.queries import Looks, looks_of
from subscribers.event import EventType, Hardness
from subscribers.tables import ANSWERS, events

#: Copies that were on the wire: of these alone it can be asked how many arrived.
_TRIED = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """What came back of an issue: copies by kind of bounce, people who complained and who left.

    A copy that bounced more than once counts once, and as hard if it ever was.
    """

    hard: int = 0
    soft: int = 0
    complained: int = 0
    unsubscribed: int = 0

    @property
    def bounced(self) -> int:
        """Copies that bounced, of either kind."""
        return self.hard + self.soft


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One issue beside others.

    `delivered`: taken by a relay, and not come back since. `tried`: left, or may have left, or
    were refused. `took`: from the start until the last copy was final, None before that.
    """

    campaign: Campaign
    states: dict[DeliveryState, int]
    tried: int
    delivered: int
    reaction: Reaction
    took: timedelta | None
    looks: Looks | None

    @property
    def waiting(self) -> int:
        """Copies whose end is not known yet."""
        return sum(many for state, many in self.states.items() if state not in FINAL)


def begun(
    session: Session,
    newsletter_id: int,
    *,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Campaign]:
    """Issues of a newsletter that have begun to go out, oldest first; `limit`: only the newest."""
    query = (
        select(campaigns.c.id)
        .where(
            campaigns.c.newsletter_id == newsletter_id,
            campaigns.c.kind == CampaignKind.ISSUE,
            campaigns.c.snapshot_at.is_not(None),
        )
        .order_by(campaigns.c.snapshot_at.desc(), campaigns.c.id.desc())
        .limit(limit)
    )
    if since is not None:
        query = query.where(campaigns.c.snapshot_at >= since)
    return [campaign_queries.get(session, one) for one in session.scalars(query)][::-1]


def compare(session: Session, chosen: Sequence[Campaign]) -> tuple[Compared, ...]:
    """Several campaigns in figures, in their order; rolled-up ones too."""
    ids = [campaign.id for campaign in chosen]
    told, copies = reactions(session, ids), _copies(session, ids)
    return tuple(
        _compared(campaign, copies[campaign.id], told[campaign.id], looks_of(session, campaign))
        for campaign in chosen
    )


def _compared(
    campaign: Campaign,
    copies: Counter[tuple[DeliveryState, str]],
    reaction: Reaction,
    looks: Looks | None,
) -> Compared:
    states: Counter[DeliveryState] = Counter()
    for (state, _), many in copies.items():
        states[state] += many
    begun, ended = campaign.snapshot_at, campaign.finished_at
    return Compared(
        campaign=campaign,
        states=dict(states),
        tried=sum(states[state] for state in _TRIED),
        delivered=states[DeliveryState.SENT] - copies[DeliveryState.SENT, "bounced"],
        reaction=reaction,
        took=ended - begun if begun and ended else None,
        looks=looks,
    )


def _copies(
    session: Session, campaign_ids: Collection[int]
) -> dict[int, Counter[tuple[DeliveryState, str]]]:
    """Copies by state and by what was heard of them later; the sums of rolled-up ones as well."""
    found: dict[int, Counter[tuple[DeliveryState, str]]] = {one: Counter() for one in campaign_ids}
    for table, many in ((deliveries, func.count()), (rollups, func.sum(rollups.c.copies))):
        rows = session.execute(
            select(table.c.campaign_id, table.c.state, table.c.later, many.label("copies"))
            .where(table.c.campaign_id.in_(campaign_ids))
            .group_by(table.c.campaign_id, table.c.state, table.c.later)
        )
        for row in rows:
            found[row.campaign_id][DeliveryState(row.state), row.later or ""] += int(row.copies)
    return found


def reactions(session: Session, campaign_ids: Collection[int]) -> dict[int, Reaction]:
    """What came back of campaigns; events outlive their ledger."""
    bounced = _bounced(session, campaign_ids)
    answered = _answered(session, campaign_ids)
    return {
        one: Reaction(
            hard=bounced[one, True],
            soft=bounced[one, False],
            complained=answered[one, EventType.COMPLAINED],
            unsubscribed=answered[one, EventType.UNSUBSCRIBED],
        )
        for one in campaign_ids
    }


def _bounced(session: Session, campaign_ids: Collection[int]) -> Counter[tuple[int, bool]]:
    """Copies that bounced, by campaign and whether for good."""
    hard = func.max(case((events.c.hardness == Hardness.HARD, 1), else_=0))
    once = (
        select(events.c.campaign_id, events.c.delivery_id, hard.label("hard"))
        .where(
            events.c.campaign_id.in_(campaign_ids),
            events.c.type == EventType.BOUNCED,
            text(ANSWERS),
        )
        .group_by(events.c.campaign_id, events.c.delivery_id)
        .subquery()
    )
    rows = session.execute(
        select(once.c.campaign_id, once.c.hard, func.count().label("copies")).group_by(
            once.c.campaign_id, once.c.hard
        )
    )
    return Counter({(row.campaign_id, bool(row.hard)): row.copies for row in rows})


def _answered(session: Session, campaign_ids: Collection[int]) -> Counter[tuple[int, str]]:
    """People who complained and who left, by campaign, each once."""
    rows = session.execute(
        select(
            events.c.campaign_id,
            events.c.type,
            func.count(func.distinct(events.c.subscriber_id)).label("people"),
        )
        .where(events.c.campaign_id.in_(campaign_ids), text(ANSWERS))
        .group_by(events.c.campaign_id, events.c.type)
    )
    return Counter({(row.campaign_id, row.type): row.people for row in rows})
