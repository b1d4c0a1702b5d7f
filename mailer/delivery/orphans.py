"""Copies whose end nobody told: what may have left stays `unknown`, whatever comes after."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, insert, null, or_, select, update
from sqlalchemy.orm import Session

from mailer.delivery.model import DeliveryState, Phase, Verdict
from mailer.delivery.tables import deliveries, intents, outcomes
from subscribers.reason import Reason


def give_up_orphans(session: Session, chunk_id: int, token: int, *, now: datetime) -> None:
    """What holders before `token` let fly and never told the end of may or may not have left."""
    orphaned = (
        select(intents.c.delivery_id, intents.c.attempt)
        .join(deliveries, deliveries.c.id == intents.c.delivery_id)
        .where(
            deliveries.c.chunk_id == chunk_id,
            deliveries.c.state == DeliveryState.SENDING,
            intents.c.attempt == deliveries.c.attempt,
            intents.c.token < token,
        )
    )
    lost = session.execute(orphaned).all()
    if not lost:
        return
    ids = [row.delivery_id for row in lost]
    # Something was heard of a copy before its worker was missed: then it did leave.
    heard_of = deliveries.c.later.is_not(None)
    given_up = session.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), deliveries.c.state == DeliveryState.SENDING)
        .values(
            state=case((heard_of, DeliveryState.SENT.value), else_=DeliveryState.UNKNOWN.value),
            reason=case((heard_of, null()), else_=Reason.UNKNOWN.value),
            changed_at=now,
        )
        .returning(deliveries.c.id, deliveries.c.attempt, deliveries.c.later)
    ).all()
    if given_up:
        session.execute(
            insert(outcomes),
            [
                {
                    "delivery_id": row.id,
                    "attempt": row.attempt,
                    "verdict": Verdict.SENT if row.later else Verdict.UNKNOWN,
                    "phase": Phase.REPLY,
                    "code": 0,
                    "reason": Reason.UNKNOWN,
                    "reply": f"the worker is gone; it was reported {row.later}"
                    if row.later
                    else "the worker that held this copy is gone",
                    "at": now,
                    "recorded_at": now,
                }
                for row in given_up
            ],
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
