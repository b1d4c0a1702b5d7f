"""Claims and the gate: what keeps two workers from sending one copy.

A claim gives a worker a chunk and a fencing token. The lease only says who may go on; it is
time, and time protects nothing: a stopped process can wake after it. What protects is the
gate, one statement per batch before any byte that could complete a message: a copy may fly
where our token is still the newest, the campaign runs, the copy waits, and the person may
still be mailed. Who passes has an intent in the ledger; a successor sends only what has none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Dialect,
    Insert,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from mailer.campaign.model import CampaignKind
from mailer.campaign.tables import campaigns
from mailer.delivery import claiming, lifecycle
from mailer.delivery.lifecycle import Step
from mailer.delivery.model import Claim, DeliveryState, Intent, SkipReason
from mailer.delivery.orphans import give_up_orphans, unless_unknown
from mailer.delivery.tables import chunks, deliveries, intents, outcomes
from subscribers import audience
from subscribers.database import Id, Moment
from subscribers.given import among
from subscribers.prepared import Prepared

_WAITING = lifecycle.before(Step.INTENT)


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What the gate let through. `stop`: the claim is lost or the campaign does not run."""

    intents: tuple[Intent, ...]
    stop: bool = False


def claim(
    session: Session,
    *,
    worker: str,
    now: datetime,
    lease: timedelta,
    late_after: timedelta,
    campaign_id: int | None = None,
    not_lanes: Collection[str] = (),
) -> Claim | None:
    """Take the next chunk that is due and free; None where there is none.

    Campaigns take turns, whatever their size; notices go before issues. `not_lanes` are those
    that this worker has enough of. A test is only sent by the process that made it, which
    names its `campaign_id`.
    """
    told = {"the_campaign": campaign_id} if campaign_id is not None else {}
    rows = claiming.next_chunk(len(not_lanes), of_one=campaign_id is not None).run(
        session,
        the_now=now,
        the_silence=now - late_after,
        the_worker=worker,
        the_lease=now + lease,
        **{f"full_{number}": lane for number, lane in enumerate(not_lanes)},
        **told,
    )
    if not rows:
        return None
    chunk_id, found, token, lane = rows[0]
    give_up_orphans(session, chunk_id, token, now=now)
    relay = claiming.RELAY.run(session, the_campaign=found)[0][0]
    claiming.SERVED.run(session, the_campaign=found, the_now=now)
    return Claim(chunk_id=chunk_id, campaign_id=found, token=token, lane=lane, relay=relay)


def extend(session: Session, claim: Claim, *, now: datetime, lease: timedelta) -> bool:
    """Hold on to a chunk for longer; False once somebody else has it."""
    held = session.execute(
        update(chunks).where(_held(claim)).values(lease_until=now + lease).returning(chunks.c.id)
    ).first()
    return held is not None


def release(session: Session, claim: Claim, *, now: datetime, not_before: datetime) -> None:
    """Let a chunk go, due when its next copy is but not before `not_before`; done if none waits."""
    ours = {"the_chunk": claim.chunk_id, "the_token": claim.token}
    # The row first: whoever puts a copy of it back has done so, or waits for us (PostgreSQL).
    if not claiming.OURS.run(session, **ours):
        return
    claiming.FREE.run(session, **ours, the_now=now)
    claiming.NOT_BEFORE.run(session, **ours, the_first=not_before)


def pass_gate(
    session: Session,
    claim: Claim,
    delivery_ids: Sequence[int],
    *,
    worker: str,
    relay: str,
    now: datetime,
    late_after: timedelta,
    asked_before: bool = False,
) -> Passed:
    """Let a batch of copies fly: append their intents, or say that the worker must stop.

    Copies of people who may not be mailed any more become `skipped` with a named reason.
    Commit before the first byte. `asked_before`: the same question was put and its answer got
    lost with the connection; intents under our token which are still open are then ours.
    """
    asked = {
        **_asked(claim, now, late_after),
        "the_ids": [*delivery_ids],
        "the_now": now,
        "the_worker": worker,
        "the_relay": relay,
    }
    passed = [
        Intent(delivery_id=delivery_id, attempt=attempt)
        for delivery_id, attempt in _FLY.run(session, **asked)
    ]
    if passed and session.get_bind().dialect.name == "sqlite":
        _INTENT.run(session, **asked | {"the_ids": [i.delivery_id for i in passed]})
    if asked_before:
        passed += _ours_already(
            session, claim, delivery_ids, worker, {i.delivery_id for i in passed}
        )
    if len(passed) == len(delivery_ids):
        return Passed(intents=tuple(passed))
    if not _IS_OPEN.run(session, **_asked(claim, now, late_after))[0][0]:
        return Passed(intents=tuple(passed), stop=True)
    _skip_unmailable(session, delivery_ids, now=now)
    return Passed(intents=tuple(passed))


def reopen(session: Session, chunk_ids: Collection[int], *, now: datetime) -> list[int]:
    """Let chunks that may have been done have work again; gives their campaigns."""
    return [
        *session.execute(
            update(chunks)
            .where(chunks.c.id.in_(chunk_ids))
            # Not `WHERE due_at IS NULL`: that would pass over a row that is being released.
            .values(due_at=func.coalesce(chunks.c.due_at, now))
            .returning(chunks.c.campaign_id)
        ).scalars()
    ]


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(chunks.c.id == claim.chunk_id, chunks.c.token == claim.token)


def _asked(claim: Claim, now: datetime, late_after: timedelta) -> dict[str, object]:
    return {
        "the_chunk": claim.chunk_id,
        "the_token": claim.token,
        "the_campaign": claim.campaign_id,
        "the_silence": now - late_after,
    }


def _open_gate() -> ColumnElement[bool]:
    """Whether our token is the newest and the campaign runs; `_asked` gives the parameters."""
    this_one = campaigns.c.id == bindparam("the_campaign")
    return and_(exists().where(claiming.held()), exists().where(this_one, claiming.running()))


def why_not(campaign: ColumnElement[int] = deliveries.c.campaign_id) -> ColumnElement[str | None]:
    """Why a delivery's person may not be mailed now; null where they may.

    What goes to an address that somebody typed (a test) has no person behind it. Asked is their
    consent in the newsletter by which the copy goes. Where `campaign` is a parameter, its own
    newsletter is looked up once and not for each person.
    """
    own = (
        select(campaigns.c.newsletter_id)
        .where(campaigns.c.id == campaign)
        .correlate(deliveries)
        .scalar_subquery()
    )
    reason = audience.why_not(
        newsletter_id=func.coalesce(deliveries.c.newsletter_id, own),
        subscriber_id=deliveries.c.subscriber_id,
        notice=deliveries.c.kind == CampaignKind.NOTICE,
    )
    return case((deliveries.c.to_address.is_not(None), null()), else_=reason)


def _flying() -> ReturningUpdate[tuple[int, int]]:
    return (
        update(deliveries)
        .where(
            among(deliveries.c.id, "the_ids"),
            or_(*(deliveries.c.state == state for state in _WAITING)),
            _open_gate(),
            # Plus nothing: SQLite would look through all that the campaign has, and not by id.
            deliveries.c.campaign_id + 0 == bindparam("the_campaign"),
            why_not(bindparam("the_campaign", type_=Id)).is_(None),
        )
        .values(
            state=DeliveryState.SENDING,
            attempt=deliveries.c.attempt + 1,
            first_at=func.coalesce(deliveries.c.first_at, bindparam("the_now", type_=Moment)),
            relay=bindparam("the_relay"),
            due_at=None,
            changed_at=bindparam("the_now", type_=Moment),
        )
        .returning(deliveries.c.id, deliveries.c.attempt)
    )


def _appended(flown: Select[tuple[int, int]]) -> Insert:
    """The intents of those that may fly."""
    same = {
        "chunk_id": "the_chunk",
        "token": "the_token",
        "worker": "the_worker",
        "relay": "the_relay",
        "at": "the_now",
    }
    told = (bindparam(name, type_=intents.c[column].type) for column, name in same.items())
    return insert(intents).from_select(["delivery_id", "attempt", *same], flown.add_columns(*told))


def _fly(dialect: Dialect) -> ClauseElement:
    """Lets fly; PostgreSQL appends the intents in the same statement, for a round trip less."""
    if dialect.name == "sqlite":
        return _flying()
    flown = _flying().cte("flown")
    appended = _appended(select(flown.c.id, flown.c.attempt))
    return appended.returning(intents.c.delivery_id, intents.c.attempt)


# Built once: to put these together takes SQLAlchemy longer than SQLite takes to run them.
_FLY = Prepared(_fly)
_INTENT = Prepared(
    lambda _: _appended(
        select(deliveries.c.id, deliveries.c.attempt).where(among(deliveries.c.id, "the_ids"))
    )
)
_IS_OPEN = Prepared(lambda _: select(_open_gate()))


def _ours_already(
    session: Session, claim: Claim, delivery_ids: Sequence[int], worker: str, known: set[int]
) -> list[Intent]:
    answered = exists().where(
        outcomes.c.delivery_id == intents.c.delivery_id, outcomes.c.attempt == intents.c.attempt
    )
    rows = session.execute(
        select(intents.c.delivery_id, intents.c.attempt)
        .join(deliveries, deliveries.c.id == intents.c.delivery_id)
        .where(
            intents.c.delivery_id.in_(delivery_ids),
            intents.c.attempt == deliveries.c.attempt,
            intents.c.chunk_id == claim.chunk_id,
            intents.c.token == claim.token,
            intents.c.worker == worker,
            deliveries.c.state == DeliveryState.SENDING,
            ~answered,
        )
    )
    return [
        Intent(delivery_id=row.delivery_id, attempt=row.attempt)
        for row in rows
        if row.delivery_id not in known
    ]


def _skip_unmailable(session: Session, delivery_ids: Sequence[int], *, now: datetime) -> None:
    reason = why_not()
    session.execute(
        update(deliveries)
        .where(
            deliveries.c.id.in_(delivery_ids),
            deliveries.c.state.in_(_WAITING),
            reason.is_not(None),
        )
        .values(
            state=unless_unknown(DeliveryState.SKIPPED),
            reason=reason,
            due_at=None,
            changed_at=now,
        )
    )


def skip(session: Session, delivery_id: int, *, reason: SkipReason, now: datetime) -> None:
    """Leave a waiting copy out, for a reason with a name."""
    session.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.state.in_(_WAITING))
        .values(
            state=unless_unknown(DeliveryState.SKIPPED),
            reason=reason,
            due_at=None,
            changed_at=now,
        )
    )
