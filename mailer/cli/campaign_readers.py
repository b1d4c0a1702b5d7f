"""Whom an issue would reach, counted before anything is asked or done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.cli.output import say
from subscribers import audience
from subscribers.audience import Exclusion
from subscribers.model import Newsletter
from subscribers.segment import queries as segments
from subscribers.union import queries as union


@dataclass(frozen=True, kw_only=True)
class Readers:
    """How many people get an issue, each counted once, and how many do not.

    `shares`: by the short name of the newsletter by whose consent they get it. `zones`: by time
    zone; empty where nobody has asked.
    """

    shares: Mapping[str, int]
    excluded: Mapping[Exclusion, int]
    zones: Mapping[str | None, int]

    @property
    def size(self) -> int:
        """All of them."""
        return sum(self.shares.values())


def count(
    session: Session,
    newsletters: Sequence[Newsletter],
    segment: str | None,
    *,
    by_zone: bool,
    now: datetime,
) -> Readers:
    """Count the readers of an issue's newsletters, its own first; raises SegmentInvalid."""
    if len(newsletters) > 1:
        return _of_several(session, newsletters, segment, now=now)
    (which,) = newsletters
    people = audience.count(session, which.id)
    zones: Mapping[str | None, int] = {}
    if by_zone or segment is not None:
        zones = segments.by_timezone(session, which.id, segment, now=now)
    size = people.size if segment is None else sum(zones.values())
    return Readers(shares={which.slug: size}, excluded=people.excluded, zones=zones)


def _of_several(
    session: Session, newsletters: Sequence[Newsletter], segment: str | None, *, now: datetime
) -> Readers:
    ids = [one.id for one in newsletters]
    people: Counter[int] = Counter()
    zones: Counter[str | None] = Counter()
    for share in union.shares(session, ids, segment, now=now):
        people[share.newsletter_id] += share.people
        zones[share.timezone] += share.people
    return Readers(
        shares={one.slug: people[one.id] for one in newsletters},
        excluded=union.excluded(session, ids),
        zones=zones,
    )


def show(readers: Readers, newsletters: Sequence[Newsletter]) -> None:
    """Say whom it reaches, and of several newsletters by whose consent."""
    say(f"{'to':>10}  {readers.size} people")
    if len(newsletters) > 1:
        for one in newsletters:
            say(f"{'':>10}  {readers.shares[one.slug]} by {one.name} ({one.slug})")
    excluded = ", ".join(f"{n} {why}" for why, n in readers.excluded.items()) or "nobody"
    say(f"{'left out':>10}  {excluded}")
