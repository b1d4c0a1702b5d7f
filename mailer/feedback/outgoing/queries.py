"""Reads and writes of endpoints and their outbox; each function is one question or one change."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from mailer.campaign.tables import campaigns
from mailer.errors import EndpointUnknown
from mailer.feedback.outgoing.judge import Ruling
from mailer.feedback.outgoing.model import (
    Call,
    CallState,
    Endpoint,
    EndpointState,
    Logged,
    Subject,
    Waiting,
)
from subscribers.outbox.tables import endpoints, outbox
from subscribers.tables import newsletters, subscribers

#: Rows that are forgotten in one statement, so that nobody waits long for the database.
AT_ONCE = 1000

_ENDPOINT = [endpoints.c[name] for name in Endpoint.__dataclass_fields__]
_LOGGED = [outbox.c[name] for name in Logged.__dataclass_fields__]


# --- endpoints ----------------------------------------------------------------------------------


def add(session: Session, url: str, wanted: Sequence[str], *, now: datetime) -> Endpoint:
    """A new endpoint, called from now on."""
    row = session.execute(
        insert(endpoints)
        .values(
            url=url,
            wanted=[*wanted],
            state=EndpointState.ACTIVE,
            seed=secrets.token_hex(16),
            created_at=now,
        )
        .returning(*_ENDPOINT)
    )
    return _endpoint(row.mappings().one())


def every(session: Session) -> list[Endpoint]:
    """All endpoints, oldest first."""
    rows = session.execute(select(*_ENDPOINT).order_by(endpoints.c.id))
    return [_endpoint(row) for row in rows.mappings()]


def get(session: Session, endpoint_id: int) -> Endpoint:
    """The endpoint of this number; raises EndpointUnknown."""
    # No database takes a number of more than 64 bits.
    possible = 0 < endpoint_id < 2**63
    query = select(*_ENDPOINT).where(endpoints.c.id == endpoint_id)
    row = session.execute(query).mappings().first() if possible else None
    if row is None:
        raise EndpointUnknown
    return _endpoint(row)


def remove(session: Session, endpoint_id: int) -> None:
    """Forget an endpoint and all that waits for it; raises EndpointUnknown."""
    get(session, endpoint_id)
    session.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))
    session.execute(delete(outbox).where(outbox.c.endpoint_id == endpoint_id))


def set_state(
    session: Session,
    endpoint_id: int,
    state: EndpointState,
    *,
    reason: str | None = None,
    now: datetime,
) -> None:
    """Hold an endpoint, or call it again with all that waits at once; raises EndpointUnknown."""
    get(session, endpoint_id)
    if state is EndpointState.ACTIVE:
        session.execute(
            update(outbox)
            .where(outbox.c.endpoint_id == endpoint_id, outbox.c.due_at > now)
            .values(due_at=now)
        )
    session.execute(
        update(endpoints)
        .where(endpoints.c.id == endpoint_id)
        .values(state=state, reason=reason, failures=0, failing_since=None, rests_until=None)
    )


def rotate(session: Session, endpoint_id: int, *, old_until: datetime) -> Endpoint:
    """Give an endpoint a new secret; the one before signs as well until then."""
    before = get(session, endpoint_id)
    session.execute(
        update(endpoints)
        .where(endpoints.c.id == endpoint_id)
        .values(seed=secrets.token_hex(16), old_seed=before.seed, old_seed_until=old_until)
    )
    return get(session, endpoint_id)


def _endpoint(row: RowMapping) -> Endpoint:
    told = {"wanted": tuple(row["wanted"]), "state": EndpointState(row["state"])}
    return Endpoint(**dict(row) | told)


# --- calls that are due -------------------------------------------------------------------------


def claim(
    session: Session, *, worker: str, now: datetime, lease: timedelta, most: int
) -> list[Endpoint]:
    """Take endpoints that have something due and that nobody is at work on; now ours."""
    ids = [*session.execute(_due(now).limit(most)).scalars()]
    if not ids:
        return []
    # The condition again: another process may have been quicker.
    taken = session.execute(
        update(endpoints)
        .where(endpoints.c.id.in_(ids), _ready(now))
        .values(worker=worker, leased_until=now + lease)
        .returning(*_ENDPOINT)
    )
    return [_endpoint(row) for row in taken.mappings()]


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether some endpoint that nobody is at work on has something due."""
    return session.execute(_due(now).limit(1)).first() is not None


def _due(now: datetime) -> Select[int]:
    waits = exists().where(outbox.c.endpoint_id == endpoints.c.id, outbox.c.due_at <= now)
    return select(endpoints.c.id).where(_ready(now), waits).order_by(endpoints.c.id)


def _ready(now: datetime) -> ColumnElement[bool]:
    """Whether an endpoint may be called by somebody who takes it now."""
    return and_(
        endpoints.c.state == EndpointState.ACTIVE,
        or_(endpoints.c.leased_until.is_(None), endpoints.c.leased_until <= now),
        or_(endpoints.c.rests_until.is_(None), endpoints.c.rests_until <= now),
    )


def next_call(
    session: Session, endpoint_id: int, *, worker: str, now: datetime
) -> tuple[Endpoint, Call] | None:
    """The oldest call that is due at an endpoint of ours; None where there is none, or where
    it is ours no more: held, removed, or taken by another after our lease."""
    row = (
        session.execute(
            _calls()
            .add_columns(*(column.label(f"of_{column.name}") for column in _ENDPOINT))
            .join(endpoints, endpoints.c.id == outbox.c.endpoint_id)
            .where(
                outbox.c.endpoint_id == endpoint_id,
                outbox.c.due_at <= now,
                endpoints.c.worker == worker,
                endpoints.c.state == EndpointState.ACTIVE,
            )
            .order_by(outbox.c.id)
            .limit(1)
        )
        .mappings()
        .first()
    )
    if row is None:
        return None
    told = {column.name: row[f"of_{column.name}"] for column in _ENDPOINT}
    told |= {"wanted": tuple(told["wanted"]), "state": EndpointState(told["state"])}
    return Endpoint(**told), _call(row)


def note(
    session: Session,
    call: Call,
    endpoint: Endpoint,
    ruling: Ruling,
    *,
    result: str,
    now: datetime,
    lease: timedelta,
) -> None:
    """Write down what a try came to, and hold the endpoint for some time more."""
    session.execute(
        update(outbox)
        .where(outbox.c.id == call.id)
        .values(
            state=ruling.state,
            due_at=ruling.due_at,
            tries=outbox.c.tries + 1,
            tried_at=now,
            result=result,
        )
    )
    values: dict[str, object] = {
        "leased_until": now + lease,
        "failures": ruling.failures,
        "failing_since": ruling.failing_since,
        "rests_until": ruling.rests_until,
    }
    if ruling.disable:
        values |= {"state": EndpointState.DISABLED, "reason": ruling.disable}
    session.execute(update(endpoints).where(endpoints.c.id == endpoint.id).values(**values))


def release(session: Session, endpoint_id: int, *, worker: str) -> None:
    """Let others be at work on an endpoint of ours."""
    session.execute(
        update(endpoints)
        .where(endpoints.c.id == endpoint_id, endpoints.c.worker == worker)
        .values(worker=None, leased_until=None)
    )


def _calls() -> Select[tuple[object, ...]]:
    return (
        select(
            outbox.c.id,
            outbox.c.message_id,
            outbox.c.type,
            outbox.c.at,
            outbox.c.facts,
            outbox.c.tries,
            newsletters.c.slug.label("newsletter"),
            outbox.c.subscriber_id,
            subscribers.c.address.label("email"),
            outbox.c.campaign_id,
            campaigns.c.issue_number,
            campaigns.c.subject.label("campaign_subject"),
        )
        .select_from(outbox)
        .outerjoin(newsletters, newsletters.c.id == outbox.c.newsletter_id)
        .outerjoin(subscribers, subscribers.c.id == outbox.c.subscriber_id)
        .outerjoin(campaigns, campaigns.c.id == outbox.c.campaign_id)
    )


def _call(row: RowMapping) -> Call:
    subject = Subject(**{name: row[name] for name in Subject.__dataclass_fields__})
    names = ("id", "message_id", "type", "at", "facts", "tries")
    return Call(**{name: row[name] for name in names}, subject=subject)


# --- the log ------------------------------------------------------------------------------------


def waiting(session: Session) -> dict[int, Waiting]:
    """How much waits, was given up and was delivered, by endpoint."""
    rows = session.execute(
        select(
            outbox.c.endpoint_id,
            outbox.c.state,
            func.count().label("calls"),
            func.min(outbox.c.written_at).label("oldest"),
        ).group_by(outbox.c.endpoint_id, outbox.c.state)
    )
    found: dict[int, dict[str, RowMapping]] = {}
    for row in rows.mappings():
        found.setdefault(row["endpoint_id"], {})[row["state"]] = row
    return {
        endpoint_id: Waiting(
            waiting=_count(states, CallState.WAITING),
            oldest=states[CallState.WAITING]["oldest"] if CallState.WAITING in states else None,
            dead=_count(states, CallState.DEAD),
            delivered=_count(states, CallState.DELIVERED),
        )
        for endpoint_id, states in found.items()
    }


def _count(states: dict[str, RowMapping], state: CallState) -> int:
    return int(states[state]["calls"]) if state in states else 0


def log(
    session: Session,
    *,
    endpoint_id: int | None = None,
    state: CallState | None = None,
    most: int,
) -> list[Logged]:
    """Calls, newest first."""
    query = select(*_LOGGED).order_by(outbox.c.id.desc()).limit(most)
    if endpoint_id is not None:
        query = query.where(outbox.c.endpoint_id == endpoint_id)
    if state is not None:
        query = query.where(outbox.c.state == state)
    rows = session.execute(query).mappings()
    return [Logged(**dict(row) | {"state": CallState(row["state"])}) for row in rows]


def replay(
    session: Session,
    endpoint_id: int,
    *,
    now: datetime,
    ids: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    dead: bool = False,
    dry_run: bool = False,
) -> int:
    """Send again what was told or given up, with the ids it had; gives how much.

    Named by `ids`, or by when it happened; with `dead` the dead letters alone.
    """
    chosen: list[ColumnElement[bool]] = [
        outbox.c.endpoint_id == endpoint_id,
        outbox.c.state == CallState.DEAD if dead else outbox.c.state != CallState.WAITING,
    ]
    if ids:
        chosen.append(outbox.c.message_id.in_(ids))
    if since is not None:
        chosen.append(outbox.c.at >= since)
    if until is not None:
        chosen.append(outbox.c.at < until)
    if dry_run:
        found: int = session.execute(
            select(func.count()).select_from(outbox).where(*chosen)
        ).scalar_one()
        return found
    again = session.execute(
        update(outbox)
        .where(*chosen)
        .values(state=CallState.WAITING, due_at=now, tries=0)
        .returning(outbox.c.id)
    )
    return len(again.all())


def forget(session: Session, *, before: datetime) -> int:
    """Forget some of what was written long ago, delivered or not; gives how many."""
    old = select(outbox.c.id).where(outbox.c.written_at < before).limit(AT_ONCE)
    gone = session.execute(delete(outbox).where(outbox.c.id.in_(old)).returning(outbox.c.id))
    return len(gone.all())
