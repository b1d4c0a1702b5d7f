"""Reads and writes of looks; each function is one question or one change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer.campaign.tables import campaigns, links
from mailer.delivery.model import Verdict
from mailer.delivery.tables import outcomes
from mailer.feedback.tables import looks
from mailer.feedback.track.model import Looker
from subscribers.database import upsert
from subscribers.event import EventType
from subscribers.tables import events

#: Where our own opens and clicks say they come from.
SOURCE = "web"


class Place(NamedTuple):
    """A row of the sums; `link` 0 is all of a message together."""

    campaign_id: int
    type: str
    link: int
    looker: str


@dataclass(frozen=True, kw_only=True)
class Sum:
    """How often somebody of a kind looked, and how many people those were."""

    type: EventType
    link: int
    looker: Looker
    count: int
    people: int


def campaigns_there(session: Session, campaign_ids: Collection[int]) -> set[int]:
    """Which of these campaigns this database knows."""
    return {*session.scalars(select(campaigns.c.id).where(campaigns.c.id.in_(campaign_ids)))}


def accepted_at(session: Session, delivery_ids: Collection[int]) -> dict[int, datetime]:
    """When a relay took copies, those it said so of."""
    rows = session.execute(
        select(outcomes.c.delivery_id, func.min(outcomes.c.at).label("at"))
        .where(
            outcomes.c.delivery_id.in_(delivery_ids),
            outcomes.c.verdict == Verdict.SENT,
            # What was settled by evidence has no reply of the relay's.
            outcomes.c.code > 0,
        )
        .group_by(outcomes.c.delivery_id)
    )
    return {row.delivery_id: row.at for row in rows}


def add_counts(session: Session, counts: Mapping[Place, int]) -> None:
    """Add to the sums; their rows are ours until the transaction ends.

    In one order everywhere, so that two who do this never wait for each other.
    """
    for place in sorted(counts):
        added = upsert(session, looks).values(**place._asdict(), count=counts[place], people=0)
        session.execute(
            added.on_conflict_do_update(
                index_elements=[looks.c.campaign_id, looks.c.type, looks.c.link, looks.c.looker],
                set_={"count": looks.c.count + added.excluded.count},
            )
        )


def add_people(session: Session, people: Counter[Place]) -> None:
    """Add people to sums that `add_counts` has touched in this transaction."""
    for place, new in sorted(people.items()):
        session.execute(
            update(looks)
            .where(*(looks.c[name] == value for name, value in place._asdict().items()))
            .values(people=looks.c.people + new)
        )


def seen_before(session: Session, delivery_ids: Collection[int]) -> set[tuple[int, str, int]]:
    """What is on record of copies already: (delivery, type, link), and link 0 for any."""
    rows = session.execute(
        select(events.c.delivery_id, events.c.type, events.c.evidence).where(
            events.c.delivery_id.in_(delivery_ids),
            events.c.source == SOURCE,
            events.c.type.in_([EventType.OPENED, EventType.CLICKED]),
        )
    )
    seen: set[tuple[int, str, int]] = set()
    for row in rows:
        seen |= {
            (row.delivery_id, row.type, 0),
            (row.delivery_id, row.type, int(row.evidence.get("link", 0))),
        }
    return seen


def sums_of(session: Session, campaign_id: int) -> list[Sum]:
    """All sums of a campaign."""
    rows = session.execute(
        select(looks.c.type, looks.c.link, looks.c.looker, looks.c.count, looks.c.people)
        .where(looks.c.campaign_id == campaign_id)
        .order_by(looks.c.type, looks.c.link, looks.c.looker)
    )
    return [
        Sum(
            type=EventType(row.type),
            link=row.link,
            looker=Looker(row.looker),
            # A Row has methods called count and index.
            count=row[3],
            people=row.people,
        )
        for row in rows
    ]


def urls_of(session: Session, campaign_ids: Collection[int]) -> dict[tuple[int, int], str]:
    """The URLs of counted links, by campaign and number."""
    rows = session.execute(select(links).where(links.c.campaign_id.in_(campaign_ids)))
    return {(row.campaign_id, row.number): row.url for row in rows}
