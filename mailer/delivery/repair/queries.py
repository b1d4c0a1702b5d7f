"""Copies to be repaired, and what is done to them; each function is one question or change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.lifecycle import Step as CampaignStep
from mailer.campaign.model import CampaignState
from mailer.delivery import gate, lifecycle
from mailer.delivery.lifecycle import Step
from mailer.delivery.model import DeliveryState, Phase
from mailer.delivery.queries import PUT_BACK
from mailer.delivery.tables import chunks, deliveries, intents, outcomes
from mailer.errors import CampaignRefused
from subscribers.database import upsert
from subscribers.reason import Reason
from subscribers.tables import subscribers

#: Copies read or put back in one short transaction.
AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class UnknownCopy:
    """A copy of which nobody can tell whether it left; `since` is when that became clear."""

    delivery_id: int
    address: str | None
    attempt: int
    relay: str | None
    flown_at: datetime
    since: datetime


def unknown_copies(
    session: Session, campaign_id: int, *, limit: int | None = None
) -> Iterator[UnknownCopy]:
    """The unknown copies of a campaign by id, with the moment at which each was let fly."""
    rows = session.execute(
        select(
            deliveries.c.id,
            func.coalesce(deliveries.c.to_address, subscribers.c.address).label("address"),
            deliveries.c.attempt,
            deliveries.c.relay,
            intents.c.at,
            deliveries.c.changed_at,
        )
        .join(
            intents,
            (intents.c.delivery_id == deliveries.c.id)
            & (intents.c.attempt == deliveries.c.attempt),
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.campaign_id == campaign_id, deliveries.c.state == DeliveryState.UNKNOWN)
        .order_by(deliveries.c.id)
        .limit(limit)
        .execution_options(yield_per=AT_ONCE)
    )
    for row in rows:
        yield UnknownCopy(
            delivery_id=row.id,
            address=row.address,
            attempt=row.attempt,
            relay=row.relay,
            flown_at=row.at,
            since=row.changed_at,
        )


def repairable(
    session: Session, campaign_id: int, state: DeliveryState, *, not_before: datetime
) -> int:
    """How many copies `put_back` would put back."""
    return session.execute(
        select(func.count())
        .select_from(deliveries)
        .where(*_repairable(campaign_id, state, not_before))
    ).scalar_one()


def put_back(
    session: Session,
    campaign_id: int,
    state: DeliveryState,
    *,
    why: str,
    now: datetime,
    not_before: datetime,
) -> int:
    """Put up to AT_ONCE failed or unknown copies back in the queue; call until it gives 0.

    What changed after `not_before` may still be under way and stays. So do those who may not
    be mailed any more: their copy would be skipped at the gate. `why` stands in the ledger.
    """
    if campaign_queries.get(session, campaign_id).state is CampaignState.CANCELLED:
        raise CampaignRefused(f"campaign {campaign_id} is cancelled: nothing leaves it any more")
    wanted = (
        select(deliveries.c.id)
        .where(*_repairable(campaign_id, state, not_before))
        .order_by(deliveries.c.id)
        .limit(AT_ONCE)
    )
    moved = session.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(wanted), deliveries.c.state == state)
        .values(
            state=lifecycle.TRANSITIONS[state, Step.REQUEUE],
            reason=None,
            due_at=now,
            # The newsletter's time for trying begins anew.
            first_at=None,
            changed_at=now,
        )
        .returning(deliveries.c.id, deliveries.c.attempt, deliveries.c.chunk_id)
    ).all()
    if moved:
        _write_down(session, [(row.id, row.attempt) for row in moved], why=why, now=now)
        _make_due(session, {row.chunk_id for row in moved}, now=now)
        campaign_queries.move(
            session, campaign_id, CampaignStep.REOPEN, finished_at=None, alive_at=now
        )
    return len(moved)


def _repairable(campaign_id: int, state: DeliveryState, not_before: datetime):  # type: ignore[no-untyped-def]
    return (
        deliveries.c.campaign_id == campaign_id,
        deliveries.c.state == state,
        deliveries.c.changed_at <= not_before,
        gate.why_not().is_(None),
    )


def _write_down(
    session: Session, attempts: Sequence[tuple[int, int]], *, why: str, now: datetime
) -> None:
    session.execute(
        upsert(session, outcomes).on_conflict_do_nothing(),
        [
            {
                "delivery_id": delivery_id,
                "attempt": attempt,
                "verdict": PUT_BACK,
                "phase": Phase.REPLY,
                "code": 0,
                "reason": Reason.UNKNOWN,
                "reply": why,
                "at": now,
                "recorded_at": now,
            }
            for delivery_id, attempt in attempts
        ],
    )


def _make_due(session: Session, chunk_ids: set[int], *, now: datetime) -> None:
    session.execute(update(chunks).where(chunks.c.id.in_(chunk_ids)).values(due_at=now))
