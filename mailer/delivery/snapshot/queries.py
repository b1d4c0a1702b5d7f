"""One range of a snapshot, written: a chunk holds people of one lane that are due together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    FromClause,
    Integer,
    String,
    and_,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    values,
)
from sqlalchemy.orm import Session

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


#: Which turn comes when: the moment at which people's own clocks show the time; None: at once.
Turns = list[datetime | None]


def write_range(
    session: Session, target: Target, who: FromClause, *, now: datetime, chunk_size: int
) -> int:
    """Give each of these people (id, address_hash, lane, timezone) a copy; gives how many."""
    turns, people = _by_turn(session, target, who)
    groups = session.execute(
        select(people.c.lane, people.c.turn, func.count().label("people"))
        .group_by(people.c.lane, people.c.turn)
        .order_by(people.c.turn, people.c.lane)
    ).all()
    if not groups:
        return 0
    places: list[tuple[str, int, int, int]] = []
    for group in groups:
        opens_at = turns[group.turn]
        for number in range(-(-group.people // chunk_size)):
            chunk_id = session.execute(
                insert(chunks)
                .values(
                    campaign_id=target.campaign_id,
                    lane=group.lane,
                    size=min(chunk_size, group.people - number * chunk_size),
                    wave=target.wave,
                    due_at=now if opens_at is None else max(now, opens_at),
                    opens_at=opens_at,
                )
                .returning(chunks.c.id)
            ).scalar_one()
            places.append((group.lane, group.turn, number, chunk_id))
    _write_copies(session, target, people, places, now=now, chunk_size=chunk_size)
    return sum(group.people for group in groups)


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
    session: Session,
    target: Target,
    people: FromClause,
    places: list[tuple[str, int, int, int]],
    *,
    now: datetime,
    chunk_size: int,
) -> None:
    place = (
        values(
            column("lane", String),
            column("turn", Integer),
            column("number", Integer),
            column("chunk_id", Id),
        )
        .data(places)
        .cte("place")
    )
    in_group = (
        func.row_number().over(partition_by=[people.c.lane, people.c.turn], order_by=people.c.id)
        - 1
    )
    numbered = select(
        people.c.id,
        people.c.address_hash,
        people.c.lane,
        people.c.turn,
        (in_group // chunk_size).label("number"),
    ).subquery("numbered")
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
                numbered.c.id,
                numbered.c.address_hash,
                place.c.chunk_id,
                numbered.c.lane,
                literal(str(DeliveryState.QUEUED)),
                literal(0),
                literal(now, deliveries.c.changed_at.type),
            )
            .join(
                place,
                and_(
                    place.c.lane == numbered.c.lane,
                    place.c.turn == numbered.c.turn,
                    place.c.number == numbered.c.number,
                ),
            )
            .order_by(place.c.chunk_id, numbered.c.id),
        )
    )
