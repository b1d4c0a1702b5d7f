"""Rows from one database into another, and what a restored one must not believe of itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import (
    Table,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session

from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery.lifecycle import TRANSITIONS, Step, before
from mailer.delivery.model import DeliveryState, Phase, Verdict
from mailer.delivery.orphans import give_up_orphans
from mailer.delivery.tables import chunks, deliveries, intents, outcomes
from mailer.migrations import schema
from subscribers.database import metadata
from subscribers.reason import Reason
from subscribers.tables import newsletters

assert schema

#: Rows in one statement.
AT_ONCE = 1000
#: More copies than ever leave between two backups.
GAP = 1_000_000_000
#: Who is said to have let a copy fly of which only the lost part of the database could tell.
WORKER = "before the restore"


def tables() -> list[Table]:
    """All tables, those first that others refer to."""
    return [*metadata.sorted_tables]


def counts(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in tables()
    }


def is_empty(session: Session) -> bool:
    """Whether no table has a row."""
    return not any(session.execute(select(table).limit(1)).first() for table in tables())


def copy(source: Session, target: Session, *, told: Callable[[int], None]) -> None:
    """Copy every row of every table into empty ones; `told` hears how many were copied."""
    for table in tables():
        rows = source.execute(select(table).execution_options(yield_per=AT_ONCE)).mappings()
        for some in rows.partitions():
            target.execute(insert(table), [dict(row) for row in some])
            told(len(some))
    _count_on(target)


def _count_on(session: Session) -> None:
    """Let PostgreSQL number new rows after those copied; SQLite does so by itself."""
    if session.get_bind().dialect.name == "sqlite":
        return
    for table in tables():
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        newest = select(func.max(column)).scalar_subquery()
        session.execute(
            select(func.setval(sequence, newest)).where(newest.is_not(None), sequence.is_not(None))
        )


def leave_a_gap(session: Session, *, now: datetime) -> None:
    """Number new deliveries far behind all that were made after the backup.

    Links and Return-Paths name a delivery by its number alone: the same number given to somebody
    else would let readers of lost mail see, and end, what is a stranger's.
    """
    newsletter = session.execute(select(func.min(newsletters.c.id))).scalar_one()
    if newsletter is None:
        return
    newest = session.execute(select(func.coalesce(func.max(deliveries.c.id), 0))).scalar_one()
    if session.get_bind().dialect.name != "sqlite":
        sequence = func.pg_get_serial_sequence("deliveries", "id")
        session.execute(select(func.setval(sequence, newest + GAP)))
        return
    # SQLite goes on from the greatest number that there is: one that is nobody's.
    placeholder = session.execute(
        insert(campaigns)
        .values(
            kind=CampaignKind.TEST,
            newsletter_id=newsletter,
            edition=0,
            checksum=f"restored-{newest + GAP}",
            subject="(keeps the numbers given away before a restore)",
            state=CampaignState.CANCELLED,
            due_at=now,
            timezone="UTC",
            created_at=now,
            finished_at=now,
            alive_at=now,
            audience=1,
        )
        .returning(campaigns.c.id)
    ).scalar_one()
    session.execute(
        insert(deliveries).values(
            id=newest + GAP,
            campaign_id=placeholder,
            kind=CampaignKind.TEST,
            address_hash=bytes(16),
            lane="other",
            state=DeliveryState.CANCELLED,
            changed_at=now,
        )
    )


def pause_all(session: Session, *, made_at: datetime) -> list[int]:
    """Hold every issue that is not over: what became of it since is not known here.

    Gives the campaigns. A reason that begins with "late" keeps new notices out of them.
    """
    words = (
        f"late: restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC; copies may already have"
        " left that this database does not know of; look at the relay's log before"
        " `mailer campaign resume`"
    )
    waiting = campaigns.c.state.in_(
        [
            CampaignState.SCHEDULED,
            CampaignState.PLANNING,
            CampaignState.SENDING,
            CampaignState.PAUSED,
        ]
    )
    before_that = func.coalesce("; it was paused before: " + campaigns.c.pause_reason, "")
    # Going on with it would send to people who may have theirs, with no entry that says so.
    cut_off = and_(campaigns.c.snapshot_at.is_not(None), campaigns.c.planned_at.is_(None))
    told = case(
        (
            cut_off,
            "; its audience was not written to the end, and is closed now: `mailer campaign resend"
            " --to joined-since` sends to those who are not in it",
        ),
        else_="",
    )
    return sorted(
        session.execute(
            update(campaigns)
            .where(waiting, campaigns.c.kind == CampaignKind.ISSUE)
            .values(
                state=CampaignState.PAUSED,
                pause_reason=literal(words) + told + before_that,
                planned_at=case((cut_off, made_at), else_=campaigns.c.planned_at),
            )
            .returning(campaigns.c.id)
        ).scalars()
    )


def doubt_waiting(session: Session, *, made_at: datetime, now: datetime) -> int:
    """Call every copy `unknown` that waited when the backup was made; gives how many.

    It may have left since: only the relay's log, or a person, can tell. Notices and tests,
    which nobody resumes, come to their end by this.
    """
    open_campaigns = select(campaigns.c.id).where(
        campaigns.c.state.in_([CampaignState.PAUSED, CampaignState.SENDING]),
        campaigns.c.snapshot_at.is_not(None) | (campaigns.c.kind != CampaignKind.ISSUE),
    )
    _give_up_flights(session, now=now)
    waiting = (
        deliveries.c.state.in_(before(Step.RESTORED)),
        deliveries.c.campaign_id.in_(open_campaigns),
        # Whose own clocks do not show the time yet: their copies can't have left.
        ~exists().where(chunks.c.id == deliveries.c.chunk_id, chunks.c.opens_at > now),
    )
    session.execute(
        insert(intents).from_select(
            ["delivery_id", "attempt", "chunk_id", "token", "worker", "relay", "at"],
            select(
                deliveries.c.id,
                deliveries.c.attempt + 1,
                func.coalesce(deliveries.c.chunk_id, 0),
                literal(0),
                literal(WORKER),
                func.coalesce(deliveries.c.relay, "default"),
                literal(made_at, intents.c.at.type),
            ).where(*waiting),
        )
    )
    session.execute(
        insert(outcomes).from_select(
            [
                "delivery_id",
                "attempt",
                "verdict",
                "phase",
                "code",
                "reason",
                "reply",
                "at",
                "recorded_at",
            ],
            select(
                deliveries.c.id,
                deliveries.c.attempt + 1,
                literal(Verdict.UNKNOWN.value),
                literal(Phase.REPLY.value),
                literal(0),
                literal(Reason.UNKNOWN.value),
                literal("the database was restored: it may have left after the backup"),
                literal(now, outcomes.c.at.type),
                literal(now, outcomes.c.recorded_at.type),
            ).where(*waiting),
        )
    )
    doubted = session.execute(
        select(func.count()).select_from(deliveries).where(*waiting)
    ).scalar_one()
    session.execute(
        update(deliveries)
        .where(*waiting)
        .values(
            state=TRANSITIONS[DeliveryState.QUEUED, Step.RESTORED],
            reason=Reason.UNKNOWN,
            attempt=deliveries.c.attempt + 1,
            first_at=func.coalesce(deliveries.c.first_at, made_at),
            due_at=None,
            changed_at=now,
        )
    )
    session.execute(
        update(campaigns)
        .where(campaigns.c.kind != CampaignKind.ISSUE, campaigns.c.id.in_(open_campaigns))
        .values(state=CampaignState.SENDING, alive_at=now, pause_reason=None)
    )
    return doubted


def _give_up_flights(session: Session, *, now: datetime) -> None:
    """Copies that were flying when the backup was made: their workers are gone."""
    held = session.execute(
        select(chunks.c.id, chunks.c.token).where(
            chunks.c.id.in_(
                select(deliveries.c.chunk_id).where(deliveries.c.state == DeliveryState.SENDING)
            )
        )
    ).all()
    for chunk in held:
        give_up_orphans(session, chunk.id, chunk.token + 1, now=now)
