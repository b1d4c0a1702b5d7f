"""One range of a snapshot, written: a chunk holds people of one lane that are due together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    FromClause,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    values,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from mailer.campaign import local
from mailer.delivery.model import DeliveryState
from mailer.delivery.tables import chunks, deliveries
from subscribers.database import Id


@dataclass(frozen=True, kw_only=True)
class Target:
    """The campaign that people are written into; `local_at` and `timezone` as in Campaign."""

    campaign_id: int
    kind: str
    wave: int
    local_at: str | None
    timezone: str


#: The people of the range under way; each session has its own, and empties it.
_people = Table(
    "range_people",
    MetaData(),
    Column("id", Id, nullable=False),
    Column("address_hash", LargeBinary(16), nullable=False),
    Column("lane", String(32), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)

#: Which turn comes when: the moment at which people's own clocks show the time; None: at once.
Turns = list[datetime | None]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A range that was written: how many copies, and the last id; None where nobody was left."""

    copies: int
    last_id: int | None


def write_range(
    session: Session, target: Target, who: FromClause, *, now: datetime, chunk_size: int
) -> Written:
    """Give each of these people (id, address_hash, lane, timezone) a copy."""
    turns = _gather(session, target, who, chunk_size)
    groups = session.execute(
        select(
            _people.c.turn,
            _people.c.lane,
            _people.c.number,
            func.count().label("people"),
            func.max(_people.c.id).label("last_id"),
        )
        .group_by(_people.c.turn, _people.c.lane, _people.c.number)
        .order_by(_people.c.turn, _people.c.lane, _people.c.number)
    ).all()
    if not groups:
        return Written(copies=0, last_id=None)
    places: list[tuple[int, str, int, int]] = []
    for group in groups:
        opens_at = turns[group.turn]
        chunk_id = session.execute(
            insert(chunks)
            .values(
                campaign_id=target.campaign_id,
                lane=group.lane,
                size=group.people,
                wave=target.wave,
                due_at=now if opens_at is None else max(now, opens_at),
                opens_at=opens_at,
            )
            .returning(chunks.c.id)
        ).scalar_one()
        places.append((group.turn, group.lane, group.number, chunk_id))
    _write_copies(session, target, places, now=now)
    return Written(
        copies=sum(group.people for group in groups),
        last_id=max(group.last_id for group in groups),
    )


def _gather(session: Session, target: Target, who: FromClause, chunk_size: int) -> Turns:
    """Find the people once, each with their turn and the number of their chunk among its like.

    To ask again for each statement about them would cost more than to keep them. (Where their
    own clocks count, their zones are asked for first.)
    """
    session.execute(CreateTable(_people, if_not_exists=True))
    session.execute(delete(_people))
    turns, people = _by_turn(session, target, who)
    before = func.row_number().over(
        partition_by=[people.c.turn, people.c.lane], order_by=people.c.id
    )
    session.execute(
        insert(_people).from_select(
            ["id", "address_hash", "lane", "turn", "number"],
            select(
                people.c.id,
                people.c.address_hash,
                people.c.lane,
                people.c.turn,
                (before - 1) // chunk_size,
            ),
        )
    )
    return turns


def _by_turn(session: Session, target: Target, who: FromClause) -> tuple[Turns, FromClause]:
    """When whose turn comes: the moments, and the people with the number of theirs."""
    if target.local_at is None:
        return [None], _with_turn(who, [])
    zones = session.execute(select(who.c.timezone).distinct()).scalars()
    moments = local.openings(target.local_at, zones, fallback=target.timezone)
    # Turn 0 is that of those whose zone is not known.
    unknown = local.opening(target.local_at, target.timezone)
    turns = [unknown, *sorted({*moments.values()} - {unknown})]
    told = [(name, turns.index(at)) for name, at in moments.items() if name and at != unknown]
    return [*turns], _with_turn(who, told)


def _with_turn(who: FromClause, told: list[tuple[str, int]]) -> FromClause:
    if not told:
        return select(
            who.c.id, who.c.address_hash, who.c.lane, cast(literal(0), Integer).label("turn")
        ).subquery("people")
    turn_of = values(column("timezone", String), column("turn", Integer)).data(told).cte("turn_of")
    return (
        select(
            who.c.id,
            who.c.address_hash,
            who.c.lane,
            func.coalesce(turn_of.c.turn, 0).label("turn"),
        )
        .outerjoin(turn_of, turn_of.c.timezone == who.c.timezone)
        .subquery("people")
    )


def _write_copies(
    session: Session, target: Target, places: list[tuple[int, str, int, int]], *, now: datetime
) -> None:
    place = (
        values(
            column("turn", Integer),
            column("lane", String),
            column("number", Integer),
            column("chunk_id", Id),
        )
        .data(places)
        .cte("place")
    )
    session.execute(
        insert(deliveries).from_select(
            [
                "campaign_id",
                "kind",
                "subscriber_id",
                "address_hash",
                "chunk_id",
                "lane",
                "state",
                "attempt",
                "changed_at",
            ],
            select(
                cast(literal(target.campaign_id), BigInteger),
                literal(target.kind),
                _people.c.id,
                _people.c.address_hash,
                place.c.chunk_id,
                _people.c.lane,
                literal(str(DeliveryState.QUEUED)),
                literal(0),
                literal(now, deliveries.c.changed_at.type),
            )
            .join(
                place,
                and_(
                    place.c.turn == _people.c.turn,
                    place.c.lane == _people.c.lane,
                    place.c.number == _people.c.number,
                ),
            )
            .order_by(place.c.chunk_id, _people.c.id),
        )
    )
