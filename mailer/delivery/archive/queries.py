"""The sums of rolled-up ledgers; each function is one question or one change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from mailer.campaign.tables import campaigns
from mailer.delivery.model import DeliveryState
from mailer.delivery.tables import chunks, deliveries, intents, outcomes, rollups, tallies
from subscribers.database import upsert

#: Copies rolled up in one short transaction.
AT_ONCE = 2000


@dataclass(frozen=True, kw_only=True)
class RolledUp:
    """How many copies ended in one way; "" stands for no reason, and nothing heard later."""

    state: DeliveryState
    reason: str
    later: str
    copies: int
    attempts: int
    first_at: datetime | None
    last_at: datetime | None


def sums(session: Session, campaign_id: int) -> list[RolledUp]:
    """What is rolled up of a campaign so far; empty for most."""
    rows = session.execute(
        select(rollups)
        .where(rollups.c.campaign_id == campaign_id)
        .order_by(rollups.c.state, rollups.c.reason, rollups.c.later)
    )
    return [
        RolledUp(
            state=DeliveryState(row.state),
            reason=row.reason,
            later=row.later,
            copies=row.copies,
            attempts=row.attempts,
            first_at=row.first_at,
            last_at=row.last_at,
        )
        for row in rows
    ]


def mark(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Say that a campaign's ledger is being rolled up."""
    session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id, campaigns.c.archived_at.is_(None))
        .values(archived_at=now)
    )


def roll_up_some(session: Session, campaign_id: int) -> int:
    """Roll up to AT_ONCE copies up, in the caller's transaction; gives how many."""
    # The campaign's row puts two who do this in a row.
    session.execute(select(campaigns.c.id).where(campaigns.c.id == campaign_id).with_for_update())
    ids = [
        *session.execute(
            select(deliveries.c.id).where(deliveries.c.campaign_id == campaign_id).limit(AT_ONCE)
        ).scalars()
    ]
    if not ids:
        return 0
    before = {(one.state, one.reason, one.later): one for one in sums(session, campaign_id)}
    for one in _sums_of(session, ids):
        _keep(session, campaign_id, _added(before.get((one.state, one.reason, one.later)), one))
    for table in (outcomes, intents):
        session.execute(delete(table).where(table.c.delivery_id.in_(ids)))
    session.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(ids)


def drop_chunks(session: Session, campaign_id: int) -> None:
    """Drop the chunks and tallies of a campaign whose deliveries are gone."""
    for table in (chunks, tallies):
        session.execute(delete(table).where(table.c.campaign_id == campaign_id))


def _sums_of(session: Session, ids: list[int]) -> list[RolledUp]:
    reason = func.coalesce(deliveries.c.reason, "")
    later = func.coalesce(deliveries.c.later, "")
    rows = session.execute(
        select(
            deliveries.c.state,
            reason.label("reason"),
            later.label("later"),
            func.count(func.distinct(deliveries.c.id)).label("copies"),
            func.count(intents.c.delivery_id).label("attempts"),
            func.min(intents.c.at).label("first_at"),
            func.max(intents.c.at).label("last_at"),
        )
        .outerjoin(intents, intents.c.delivery_id == deliveries.c.id)
        .where(deliveries.c.id.in_(ids))
        .group_by(deliveries.c.state, "reason", "later")
    )
    return [
        RolledUp(
            state=DeliveryState(row.state),
            reason=row.reason,
            later=row.later,
            copies=row.copies,
            attempts=row.attempts,
            first_at=row.first_at,
            last_at=row.last_at,
        )
        for row in rows
    ]


def _added(before: RolledUp | None, more: RolledUp) -> RolledUp:
    if before is None:
        return more
    first = [at for at in (before.first_at, more.first_at) if at is not None]
    last = [at for at in (before.last_at, more.last_at) if at is not None]
    return RolledUp(
        state=more.state,
        reason=more.reason,
        later=more.later,
        copies=before.copies + more.copies,
        attempts=before.attempts + more.attempts,
        first_at=min(first, default=None),
        last_at=max(last, default=None),
    )


def _keep(session: Session, campaign_id: int, one: RolledUp) -> None:
    summed = {
        "copies": one.copies,
        "attempts": one.attempts,
        "first_at": one.first_at,
        "last_at": one.last_at,
    }
    session.execute(
        upsert(session, rollups)
        .values(
            campaign_id=campaign_id, state=one.state, reason=one.reason, later=one.later, **summed
        )
        .on_conflict_do_update(
            index_elements=[
                rollups.c.campaign_id,
                rollups.c.state,
                rollups.c.reason,
                rollups.c.later,
            ],
            set_=summed,
        )
    )
