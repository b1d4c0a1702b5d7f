"""Copies by time and by lane; the database counts them, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Integer, case, func, literal_column, select
from sqlalchemy.orm import Session

from mailer.campaign.model import Campaign
from mailer.delivery.model import DeliveryState
from mailer.delivery.tables import deliveries
from mailer.report.course.buckets import bounds_of, end_of, growing


@dataclass(frozen=True, kw_only=True)
class Course:
    """How many copies were taken by when.

    `counts[n]` were taken from `bounds[n]` until `bounds[n + 1]`, `after` of them later still,
    the last one at `last_at`.
    """

    bounds: tuple[datetime, ...]
    counts: tuple[int, ...]
    after: int
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class LaneFigure:
    """How the copies of one mailbox provider ended."""

    lane: str
    states: dict[DeliveryState, int]

    @property
    def copies(self) -> int:
        """All of them."""
        return sum(self.states.values())


def piece_of(column: ColumnElement[datetime], bounds: Sequence[datetime]) -> ColumnElement[int]:
    """Between which bounds a moment lies: 0 before the first, len(bounds) from the last one on.

    A tree of comparisons: few of them per row, and the same words for every database.
    """

    def within(low: int, high: int) -> ColumnElement[int]:
        if low == high:
            return literal_column(str(low), Integer)
        middle = (low + high) // 2
        return case((column < bounds[middle], within(low, middle)), else_=within(middle + 1, high))

    return within(0, len(bounds))


def course_of(session: Session, campaign: Campaign) -> Course | None:
    """The course of a campaign; None where nothing is taken yet, or its ledger is rolled up."""
    if campaign.archived_at is not None:
        return None
    taken = (
        deliveries.c.campaign_id == campaign.id,
        deliveries.c.state == DeliveryState.SENT,
    )
    pieces = _pieces(session, growing(campaign.snapshot_at or campaign.due_at), *taken)
    if not pieces:
        return None
    first, last = min(one.first_at for one in pieces), max(one.last_at for one in pieces)
    end = end_of(first, last, [(one.copies, one.last_at) for one in pieces])
    bounds = bounds_of(first, end)
    counted = {one.piece: one.copies for one in _pieces(session, bounds, *taken)}
    counts = tuple(counted.get(piece, 0) for piece in range(1, len(bounds)))
    return Course(bounds=bounds, counts=counts, after=counted.get(len(bounds), 0), last_at=last)


class _Piece(NamedTuple):
    piece: int
    copies: int
    first_at: datetime
    last_at: datetime


def _pieces(
    session: Session, bounds: Sequence[datetime], *conditions: ColumnElement[bool]
) -> list[_Piece]:
    """How many copies lie between which bounds, by time; one reading of the campaign's copies."""
    rows = session.execute(
        select(
            piece_of(deliveries.c.changed_at, bounds).label("piece"),
            func.count().label("copies"),
            func.min(deliveries.c.changed_at).label("first_at"),
            func.max(deliveries.c.changed_at).label("last_at"),
        )
        .where(*conditions)
        .group_by("piece")
        .order_by("piece")
    )
    return [_Piece(*row) for row in rows]


def lanes_of(session: Session, campaign: Campaign) -> tuple[LaneFigure, ...]:
    """The lanes of a campaign, biggest first; none where its ledger is rolled up."""
    if campaign.archived_at is not None:
        return ()
    rows = session.execute(
        select(deliveries.c.lane, deliveries.c.state, func.count().label("copies"))
        .where(deliveries.c.campaign_id == campaign.id)
        .group_by(deliveries.c.lane, deliveries.c.state)
    )
    lanes: dict[str, Counter[DeliveryState]] = {}
    for row in rows:
        lanes.setdefault(row.lane, Counter())[DeliveryState(row.state)] = row.copies
    found = [LaneFigure(lane=lane, states=dict(states)) for lane, states in lanes.items()]
    return tuple(sorted(found, key=lambda lane: (-lane.copies, lane.lane)))
