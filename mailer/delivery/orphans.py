"""Copies whose end nobody told: what may have left stays `unknown`, whatever comes after."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    bindparam,
    case,
    exists,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from mailer.delivery.model import DeliveryState, Phase, Verdict
from mailer.delivery.tables import deliveries, intents, outcomes
from subscribers.event import EventType
from subscribers.prepared import Prepared
from subscribers.reason import Reason
from subscribers.tables import events

#: Events that prove that a copy had left, beside those that its row notes as `later`.
_PROOFS = (EventType.DEFERRED, EventType.OPENED, EventType.CLICKED, EventType.AUTO_REPLY)


def heard_of() -> ColumnElement[bool]:
    """Whether something was told of a delivery that nobody could tell of a copy that never left."""
    told = exists().where(
        events.c.delivery_id == deliveries.c.id, or_(*(events.c.type == one for one in _PROOFS))
    )
    return or_(deliveries.c.later.is_not(None), told)


def give_up_orphans(session: Session, chunk_id: int, token: int, *, now: datetime) -> None:
    """What holders before `token` let fly and never told the end of may or may not have left."""
    lost = _ORPHANED.run(session, the_chunk=chunk_id, the_token=token)
    if not lost:
        return
    ids = [delivery_id for (delivery_id,) in lost]
    # Something was heard of a copy before its worker was missed: then it did leave.
    left = heard_of()
    given_up = session.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.state == DeliveryState.SENDING)
        .values(
            state=case((left, DeliveryState.SENT.value), else_=DeliveryState.UNKNOWN.value),
            reason=case((left, null()), else_=Reason.UNKNOWN.value),
            changed_at=now,
        )
        .returning(deliveries.c.id, deliveries.c.attempt, deliveries.c.state, deliveries.c.later)
    ).all()
    if given_up:
        session.execute(
            insert(outcomes),
            [
                {
                    "delivery_id": row.id,
                    "attempt": row.attempt,
                    "verdict": Verdict.SENT if row.state == DeliveryState.SENT else Verdict.UNKNOWN,
                    "phase": Phase.REPLY,
                    "code": 0,
                    "reason": Reason.UNKNOWN,
                    "reply": f"the worker is gone; it was heard of: {row.later or 'events'}"
                    if row.state == DeliveryState.SENT
                    else "the worker that held this copy is gone",
                    "at": now,
                    "recorded_at": now,
                }
                for row in given_up
            ],
        )


_ORPHANED = Prepared(
    lambda _: (
        select(intents.c.delivery_id)
        .join(deliveries, deliveries.c.id == intents.c.delivery_id)
        .where(
            deliveries.c.chunk_id == bindparam("the_chunk"),
            deliveries.c.state == DeliveryState.SENDING,
            intents.c.attempt == deliveries.c.attempt,
            intents.c.token < bindparam("the_token"),
        )
        # Who reports of one at this moment is waited for, so that it is known afterwards.
        .order_by(deliveries.c.id)
        .with_for_update(of=deliveries, key_share=True)
    )
)


def unless_unknown(state: DeliveryState) -> ColumnElement[str]:
    """This final state; `unknown` where an earlier try of the copy may have left after all.

    A copy that was put back and then came to nothing is no less unknown for that.
    """
    told = outcomes.alias("told")
    resolved = exists().where(
        told.c.delivery_id == outcomes.c.delivery_id,
        told.c.attempt == outcomes.c.attempt,
        # No IN: executemany can't put in its parameters.
        or_(told.c.verdict == Verdict.DEFERRED, told.c.verdict == Verdict.FAILED),
    )
    presumed = exists().where(
        outcomes.c.delivery_id == deliveries.c.id,
        outcomes.c.verdict == Verdict.UNKNOWN,
        ~resolved,
    )
    return case((presumed, DeliveryState.UNKNOWN.value), else_=state.value)
