"""Limits are spent by grants: all workers on all hosts together never exceed one.

A grant is taken in one short transaction that holds the meters' rows; what it gave is spent,
whether it is used or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta

from sqlalchemy import Row, delete, func, literal, or_, select, update
from sqlalchemy.orm import Session

from mailer.delivery import pace
from mailer.delivery.pace import Grant, Limits, Meter
from mailer.delivery.tables import chunks, connection_grants, deliveries, pacing
from subscribers.database import upsert

#: The row of a whole relay.
WHOLE = ""
#: A worker's leave to keep connections busy in a lane ends after so long, unless renewed.
CONNECTIONS_FOR = timedelta(seconds=10)
#: Who found none left asks again after so long.
ASK_AGAIN = timedelta(seconds=1)

_LIMITS = [field.name for field in fields(Limits)]
_METER = [field.name for field in fields(Meter)]


def limited(session: Session) -> frozenset[tuple[str, str]]:
    """The (relay, lane) pairs that have a limit or had trouble; all others need no grant."""
    return frozenset((row.relay, row.lane) for row in session.execute(select(pacing)))


def take(
    session: Session, relay: str, lane: str, *, worker: str, wanted: int, now: datetime
) -> tuple[Grant, int | None]:
    """Take slots for up to `wanted` messages; gives them, and how many connections at most."""
    rows = _locked(session, relay, (WHOLE, lane))
    connections = [_connections(session, row, worker=worker, now=now) for row in rows]
    known = [count for count in connections if count is not None]
    if 0 in known:
        # Nothing may be under way: slots would be spent for nothing.
        return Grant(messages=0, start=now + ASK_AGAIN, interval=timedelta(0)), 0
    given = Grant(messages=wanted, start=now, interval=timedelta(0))
    for row in rows:
        first, _ = pace.grant(_limits(row), _meter(row), wanted=given.messages, now=now)
        given = pace.both(given, first)
        if not given.messages:
            return given, None
    # Both allow it: spend the same number in each.
    start = given.start
    for row in rows:
        spent, meter = pace.grant(_limits(row), _meter(row), wanted=given.messages, now=now)
        start = max(start, spent.start)
        _write(session, row, meter)
    return replace(given, start=start), min(known) if known else None


def _connections(
    session: Session, row: Row[tuple[object, ...]], *, worker: str, now: datetime
) -> int | None:
    """How many connections this worker may keep busy: at most half of what others leave."""
    if row.connections is None:
        return None
    place = (connection_grants.c.relay == row.relay) & (connection_grants.c.lane == row.lane)
    session.execute(delete(connection_grants).where(place, connection_grants.c.expires_at <= now))
    taken: int = session.execute(
        select(func.coalesce(func.sum(connection_grants.c.connections), 0)).where(
            place, connection_grants.c.worker != worker
        )
    ).scalar_one()
    left = max(0, row.connections - taken)
    # Who comes second must find something: the first takes half, rounded up.
    mine: int = left if taken else -(-left // 2)
    values = {"connections": mine, "expires_at": now + CONNECTIONS_FOR}
    statement = upsert(session, connection_grants).values(
        relay=row.relay, lane=row.lane, worker=worker, **values
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[
                connection_grants.c.relay,
                connection_grants.c.lane,
                connection_grants.c.worker,
            ],
            set_=values,
        )
    )
    return mine


def slow(session: Session, relay: str, lane: str, *, measured: float, now: datetime) -> float:
    """Slow a lane, or WHOLE, down after trouble; gives its new speed in messages a second.

    `measured` is this worker's own speed there; others are taken to be as fast.
    """
    workers: int = session.execute(
        select(func.count(func.distinct(chunks.c.owner))).where(
            or_(chunks.c.lane == lane, literal(lane == WHOLE)), chunks.c.lease_until > now
        )
    ).scalar_one()
    _ensure(session, relay, lane, now=now)
    [row] = _locked(session, relay, (lane,))
    meter = pace.slower(_meter(row), measured=measured * max(1, workers), now=now)
    _write(session, row, meter)
    return meter.rate or 0.0


def report(session: Session, delivery_ids: Collection[int], *, now: datetime) -> None:
    """Somebody behind a relay has enough of us: the workers there will slow down.

    What left before the lane was slowed down the last time says nothing new.
    """
    places = session.execute(
        select(deliveries.c.relay, deliveries.c.lane, func.max(deliveries.c.changed_at))
        .where(deliveries.c.id.in_(delivery_ids), deliveries.c.relay.is_not(None))
        .group_by(deliveries.c.relay, deliveries.c.lane)
        .order_by(deliveries.c.relay, deliveries.c.lane)
    ).all()
    for relay, lane, left_at in places:
        _ensure(session, relay, lane, now=now)
        session.execute(
            update(pacing)
            .where(pacing.c.relay == relay, pacing.c.lane == lane)
            .where(or_(pacing.c.slowed_at.is_(None), pacing.c.slowed_at < left_at))
            .values(reported_at=now)
        )


def reported(session: Session, *, since: datetime) -> frozenset[tuple[str, str]]:
    """The (relay, lane) pairs of which trouble was reported lately, and not heeded."""
    rows = session.execute(
        select(pacing.c.relay, pacing.c.lane).where(pacing.c.reported_at > since)
    )
    return frozenset((row.relay, row.lane) for row in rows)


def take_report(session: Session, relay: str, lane: str) -> bool:
    """Whether a report of trouble is for the caller to heed."""
    taken = session.execute(
        update(pacing)
        .where(pacing.c.relay == relay, pacing.c.lane == lane, pacing.c.reported_at.is_not(None))
        .values(reported_at=None)
        .returning(pacing.c.lane)
    ).first()
    return taken is not None


def set_limits(session: Session, relay: str, lane: str, limits: Limits, *, now: datetime) -> None:
    """Set the limits of a lane, or with WHOLE of a relay."""
    _ensure(session, relay, lane, now=now)
    session.execute(
        update(pacing)
        .where(pacing.c.relay == relay, pacing.c.lane == lane)
        .values(**asdict(limits))
    )


def forget(session: Session, relay: str, lane: str) -> bool:
    """Take a lane's limits and its trouble away; False where there were none."""
    gone = session.execute(
        delete(pacing)
        .where(pacing.c.relay == relay, pacing.c.lane == lane)
        .returning(pacing.c.lane)
    ).first()
    return gone is not None


def limits_of(session: Session, relay: str, lane: str) -> Limits | None:
    """The limits of a lane, if it has a row."""
    row = session.execute(
        select(pacing).where(pacing.c.relay == relay, pacing.c.lane == lane)
    ).first()
    return _limits(row) if row else None


def every(session: Session) -> list[tuple[str, str, Limits, Meter]]:
    """All limits and meters, by relay and lane."""
    rows = session.execute(select(pacing).order_by(pacing.c.relay, pacing.c.lane))
    return [(row.relay, row.lane, _limits(row), _meter(row)) for row in rows]


def _ensure(session: Session, relay: str, lane: str, *, now: datetime) -> None:
    session.execute(
        upsert(session, pacing)
        .values(
            relay=relay,
            lane=lane,
            warmup_growth=1.5,
            next_at=now,
            hour_at=now,
            hour_spent=0,
            day_at=now,
            day_spent=0,
        )
        .on_conflict_do_nothing()
    )


def _locked(session: Session, relay: str, lanes: Iterable[str]) -> list[Row[tuple[object, ...]]]:
    # In one order always, so that two who want the same rows wait instead of deadlocking.
    return [
        *session.execute(
            select(pacing)
            .where(pacing.c.relay == relay, pacing.c.lane.in_([*lanes]))
            .order_by(pacing.c.lane)
            .with_for_update()
        )
    ]


def _limits(row: Row[tuple[object, ...]]) -> Limits:
    return Limits(**{name: getattr(row, name) for name in _LIMITS})


def _meter(row: Row[tuple[object, ...]]) -> Meter:
    return Meter(**{name: getattr(row, name) for name in _METER})


def _write(session: Session, row: Row[tuple[object, ...]], meter: Meter) -> None:
    session.execute(
        update(pacing)
        .where(pacing.c.relay == row.relay, pacing.c.lane == row.lane)
        .values(**asdict(meter))
    )
