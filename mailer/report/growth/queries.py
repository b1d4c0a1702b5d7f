"""Who came and who left, by period; each function is one question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, dropwhile, pairwise

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from mailer.report.compare.queries import Reaction, begun, reactions
from mailer.report.course.queries import piece_of
from mailer.report.growth.periods import By
from subscribers.model import Newsletter, Status
from subscribers.tables import subscriptions

LEFT = (Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED)


@dataclass(frozen=True, kw_only=True)
class Period:
    """One week or month: who came, by source; who left, by status; how many were there then."""

    start: datetime
    end: datetime
    joined: dict[str, int]
    left: dict[Status, int]
    members: int

    @property
    def net(self) -> int:
        """How many more there are than before."""
        return sum(self.joined.values()) - sum(self.left.values())


@dataclass(frozen=True, kw_only=True)
class IssueFigure:
    """One issue that went out, and how people and mailboxes took it."""

    campaign: int
    number: int | None
    subject: str
    started_at: datetime
    audience: int
    reaction: Reaction


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A newsletter's people over time. `pending`: asked to confirm, counted nowhere else."""

    newsletter: Newsletter
    by: By
    before: int
    periods: tuple[Period, ...]
    members: int
    pending: int
    issues: tuple[IssueFigure, ...]

    def since_anybody_came(self) -> Growth:
        """The same without the periods before anybody was there; the last stays anyhow."""
        if self.before:
            return self
        told = tuple(dropwhile(lambda one: not (one.joined or one.left), self.periods))
        return replace(self, periods=told or self.periods[-1:])


def growth(
    session: Session, newsletter: Newsletter, bounds: Sequence[datetime], *, by: By
) -> Growth:
    """How a newsletter grew between these bounds."""
    place = subscriptions.c.newsletter_id == newsletter.id
    joined = _pieces(
        session,
        bounds,
        subscriptions.c.joined_at,
        subscriptions.c.source,
        place,
        subscriptions.c.status != Status.PENDING,
    )
    left = _pieces(
        session,
        bounds,
        # Nobody is here without having come; where it is not known when they left, at once.
        func.coalesce(subscriptions.c.left_at, subscriptions.c.joined_at),
        subscriptions.c.status,
        place,
        subscriptions.c.status.in_(LEFT),
    )
    now = _by_status(session, place)
    before = sum(joined[0].values()) - sum(left[0].values())
    periods = _periods(bounds, before, joined, left)
    return Growth(
        newsletter=newsletter,
        by=by,
        before=before,
        periods=periods,
        members=now.get(Status.ACTIVE, 0),
        pending=now.get(Status.PENDING, 0),
        issues=_issues(session, newsletter, since=bounds[0]),
    )


def _pieces(
    session: Session,
    bounds: Sequence[datetime],
    moment: ColumnElement[datetime],
    what: ColumnElement[str],
    *conditions: ColumnElement[bool],
) -> list[Counter[str]]:
    """How many there are of each kind in each piece of time; the first is all before."""
    rows = session.execute(
        select(
            piece_of(moment, bounds).label("piece"), what.label("what"), func.count().label("many")
        )
        .where(*conditions)
        .group_by("piece", "what")
    )
    pieces: list[Counter[str]] = [Counter() for _ in range(len(bounds) + 1)]
    for row in rows:
        pieces[row.piece][row.what] = row.many
    return pieces


def _by_status(session: Session, place: ColumnElement[bool]) -> dict[Status, int]:
    rows = session.execute(
        select(subscriptions.c.status, func.count().label("many"))
        .where(place)
        .group_by(subscriptions.c.status)
    )
    return {Status(row.status): row.many for row in rows}


def _periods(
    bounds: Sequence[datetime],
    before: int,
    joined: Sequence[Counter[str]],
    left: Sequence[Counter[str]],
) -> tuple[Period, ...]:
    nets = [
        came.total() - went.total() for came, went in zip(joined[1:-1], left[1:-1], strict=True)
    ]
    members = [*accumulate(nets, initial=before)][1:]
    return tuple(
        Period(
            start=start,
            end=end,
            joined=dict(joined[piece].most_common()),
            left={Status(status): many for status, many in left[piece].most_common()},
            members=members[piece - 1],
        )
        for piece, (start, end) in enumerate(pairwise(bounds), 1)
    )


def _issues(
    session: Session, newsletter: Newsletter, *, since: datetime
) -> tuple[IssueFigure, ...]:
    found = begun(session, newsletter.id, since=since)
    told = reactions(session, [one.id for one in found])
    return tuple(
        IssueFigure(
            campaign=one.id,
            number=one.issue_number,
            subject=one.subject,
            started_at=one.snapshot_at,
            audience=one.audience,
            reaction=told[one.id],
        )
        for one in found
        if one.snapshot_at is not None
    )
