"""The snapshot: who gets a copy, written into the ledger in chunks by lane.

It walks the subscribers by id in ranges, one short transaction each, up to a bound recorded
when it starts, and keeps its place in the campaign's row. So it can be killed at any moment,
and two clocks can run it at once: the row is locked while a range is written. What changes
behind the walk meets the gate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from mailer.campaign.lifecycle import Step
from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.queries import move, pause
from mailer.campaign.tables import campaigns
from mailer.delivery.lanes import DOMAINS, OTHER
from mailer.delivery.model import DeliveryState
from mailer.delivery.snapshot.queries import Target, write_range
from mailer.delivery.tables import chunks, deliveries, domains
from mailer.delivery.union import queries as union
from subscribers import audience
from subscribers.database import Database
from subscribers.errors import SegmentInvalid
from subscribers.segment.compile import condition
from subscribers.segment.queries import frozen
from subscribers.tables import subscribers, subscriptions
from subscribers.union.queries import first_consent

#: States in which somebody has, or may yet get, a copy.
_HAS_COPY = (
    DeliveryState.QUEUED,
    DeliveryState.SENDING,
    DeliveryState.SENT,
    DeliveryState.DEFERRED,
    DeliveryState.UNKNOWN,
)


def plan(
    database: Database, campaign_id: int, *, now: datetime, chunk_size: int, range_size: int = 5000
) -> None:
    """Write the whole snapshot of a campaign that is in `planning`, range by range.

    Stops early where the campaign is paused or cancelled meanwhile, or an earlier one that it
    depends on is being closed; going on later is safe.
    """
    with database.write() as session:
        _fix_bound(session, campaign_id)
    while _plan_range(database, campaign_id, now=now, chunk_size=chunk_size, size=range_size):
        pass


def _fix_bound(session: Session, campaign_id: int) -> None:
    last = select(func.coalesce(func.max(subscribers.c.id), 0)).scalar_subquery()
    session.execute(
        update(campaigns)
        .where(
            campaigns.c.id == campaign_id,
            campaigns.c.state == CampaignState.PLANNING,
            campaigns.c.snapshot_bound == 0,
        )
        .values(snapshot_bound=last)
    )


def _plan_range(
    database: Database, campaign_id: int, *, now: datetime, chunk_size: int, size: int
) -> bool:
    with database.write(frozen=True) as session:
        row = session.execute(
            select(campaigns)
            .where(campaigns.c.id == campaign_id, campaigns.c.state == CampaignState.PLANNING)
            .with_for_update()
        ).first()
        if row is None or _an_earlier_one_is_closing(session, row):
            return False
        try:
            chosen = _chosen(session, row.segment, row.snapshot_at or now)
        except SegmentInvalid as exc:
            # An attribute was taken away since: nobody can tell who was meant.
            reason = f"its segment means nothing any more: {exc}"
            pause(session, campaign_id, reason=reason, now=now)
            return False
        if row.corrects is not None:
            chosen = and_(chosen, _has_copy_of(row.corrects))
        # The canary is a range of its own, the first; the rest waits for the next wave.
        canary = row.canary_size is not None and row.snapshot_cursor == 0
        wave = 0 if canary or row.canary_size is None else 1
        who = _who(
            [row.newsletter_id, *row.also],
            chosen,
            row.leave_out,
            row.snapshot_cursor,
            row.snapshot_bound,
            min(size, row.canary_size) if canary else size,
            at=row.snapshot_at or now,
        )
        with _consents_noted(session, row, at=row.snapshot_at or now):
            written = write_range(
                session, _target(row, wave=wave), who, now=now, chunk_size=chunk_size
            )
        if written.last_id is None:
            return not move(session, campaign_id, Step.PLANNED, planned_at=now)
        session.execute(
            update(campaigns)
            .where(campaigns.c.id == campaign_id)
            .values(
                snapshot_cursor=written.last_id,
                audience=campaigns.c.audience + written.copies,
                alive_at=now,
            )
        )
        return True


def _an_earlier_one_is_closing(session: Session, row) -> bool:  # type: ignore[no-untyped-def]
    """Whether a cancelled campaign of the same issue has copies that wait or fly yet.

    Nobody can tell who has one of it until its workers have let go: who waits gets none there
    and must have one here, and who is flying may have one after all.
    """
    earlier = [*row.leave_out, *([] if row.corrects is None else [row.corrects])]
    if not earlier:
        return False
    closing = exists().where(
        campaigns.c.id.in_(earlier),
        campaigns.c.state == CampaignState.CANCELLED,
        chunks.c.campaign_id == campaigns.c.id,
        chunks.c.due_at.is_not(None),
    )
    return bool(session.execute(select(closing)).scalar_one())


def add_joined(
    database: Database, campaign_id: int, *, now: datetime, chunk_size: int, range_size: int = 5000
) -> int:
    """Give those a copy who may receive one now and are not in the audience; gives how many.

    Each range is whole in itself: cut off, it is begun again and nobody is in it twice.
    """
    added, cursor = 0, 0
    while True:
        with database.write(frozen=True) as session:
            row = session.execute(
                select(campaigns)
                .where(campaigns.c.id == campaign_id, campaigns.c.planned_at.is_not(None))
                .with_for_update()
            ).one()
            who = _strangers(session, row, cursor=cursor, size=range_size, now=now)
            with _consents_noted(session, row, at=now):
                more = write_range(
                    session, _target(row, wave=row.wave), who, now=now, chunk_size=chunk_size
                )
            if more.last_id is None:
                return added
            session.execute(
                update(campaigns)
                .where(campaigns.c.id == campaign_id)
                .values(audience=campaigns.c.audience + more.copies, alive_at=now)
            )
            move(session, campaign_id, Step.REOPEN, finished_at=None)
        added, cursor = added + more.copies, more.last_id


def _target(row, *, wave: int) -> Target:  # type: ignore[no-untyped-def]
    return Target(
        campaign_id=row.id, kind=row.kind, wave=wave, local_at=row.local_at, timezone=row.timezone
    )


def count_joined(session: Session, campaign_id: int, *, now: datetime) -> int:
    """How many `add_joined` would add."""
    row = session.execute(select(campaigns).where(campaigns.c.id == campaign_id)).one()
    who = _strangers(session, row, cursor=0, size=None, now=now)
    return session.execute(select(func.count()).select_from(who)).scalar_one()


def _strangers(  # type: ignore[no-untyped-def]
    session: Session, row, *, cursor: int, size: int | None, now: datetime
):
    """The next people who may receive a campaign and have no entry in its ledger."""
    known = exists().where(
        deliveries.c.campaign_id == row.id,
        deliveries.c.address_hash == subscribers.c.address_hash,
    )
    chosen = and_(_chosen(session, row.segment, now), ~known)
    if row.corrects is not None:
        chosen = and_(chosen, _has_copy_of(row.corrects))
    # Whoever has the issue from any other campaign of it has it: also from a later one.
    same = campaigns.c.checksum == row.checksum
    if row.issue_number is not None:
        same = or_(same, campaigns.c.issue_number == row.issue_number)
    others = session.execute(
        select(campaigns.c.id).where(
            campaigns.c.newsletter_id == row.newsletter_id,
            campaigns.c.kind == CampaignKind.ISSUE,
            campaigns.c.id != row.id,
            same,
        )
    ).scalars()
    leave_out = row.leave_out if row.corrects is not None else [*{*row.leave_out, *others}]
    newsletters = [row.newsletter_id, *row.also]
    return _who(newsletters, chosen, leave_out, cursor, 2**62, size, at=now)


def _has_copy_of(campaign_id: int) -> ColumnElement[bool]:
    """Whether a person has a copy of a campaign for sure."""
    return exists().where(
        deliveries.c.campaign_id == campaign_id,
        deliveries.c.address_hash == subscribers.c.address_hash,
        deliveries.c.state == DeliveryState.SENT,
    )


def _chosen(session: Session, segment: str | None, now: datetime) -> ColumnElement[bool]:
    """The condition of a campaign's segment; consent stands beside it, never behind it."""
    if segment is None:
        return true()
    return condition(session, frozen(session, segment), now=now)


@contextmanager
def _consents_noted(  # type: ignore[no-untyped-def]
    session: Session, row, *, at: datetime
) -> Iterator[None]:
    """What is written meanwhile gets noted by whose consent it goes, if that can differ."""
    before = union.newest(session) if row.also else 0
    yield
    if row.also:
        newsletters = [row.newsletter_id, *row.also]
        union.note_consents(session, row.id, newsletters, after=before, at=at)


def _who(  # type: ignore[no-untyped-def]
    newsletter_ids: list[int],
    chosen: ColumnElement[bool],
    leave_out: list[int],
    cursor: int,
    bound: int,
    size: int | None,
    *,
    at: datetime,
):
    """The next `size` people who may receive: id, hash, lane and time zone.

    Of several newsletters it is the first that may mail them whose subscription is looked at.
    """
    newsletter_id: int | ColumnElement[int] = newsletter_ids[0]
    # All statements about a range must see the same people.
    may_receive = audience.mailable(newsletter_id, at=at)
    if len(newsletter_ids) > 1:
        newsletter_id = first_consent(newsletter_ids, subscribers.c.id, at=at)
        may_receive = true()
    people = (
        select(
            subscribers.c.id,
            subscribers.c.address_hash,
            func.coalesce(domains.c.lane, lane_of(subscribers.c.domain)).label("lane"),
            subscribers.c.timezone,
        )
        .outerjoin(domains, domains.c.domain == subscribers.c.domain)
        .join(
            subscriptions,
            and_(
                subscriptions.c.subscriber_id == subscribers.c.id,
                subscriptions.c.newsletter_id == newsletter_id,
            ),
        )
        .where(
            # Of both tables: PostgreSQL would read all of the other up to there, range by range.
            subscribers.c.id > cursor,
            subscriptions.c.subscriber_id > cursor,
            subscribers.c.id <= bound,
            may_receive,
            chosen,
        )
        .order_by(subscribers.c.id)
        .limit(size)
    )
    if leave_out:
        people = people.where(
            ~exists().where(
                deliveries.c.campaign_id.in_(leave_out),
                deliveries.c.address_hash == subscribers.c.address_hash,
                deliveries.c.state.in_(_HAS_COPY),
            )
        )
    return people.subquery("who")


def lane_of(domain: ColumnElement[str]) -> ColumnElement[str]:
    """The lane of a well-known domain, in SQL."""
    return case(
        *((domain.in_(names), literal(lane)) for lane, names in DOMAINS.items()),
        else_=literal(OTHER),
    )


def plan_single(
    session: Session, campaign_id: int, *, to_address: str, address_hash: bytes, now: datetime
) -> int:
    """Make a test campaign ready: one copy for an address that somebody typed; gives its id."""
    chunk_id = session.execute(
        insert(chunks)
        .values(campaign_id=campaign_id, lane=OTHER, priority=0, size=1, due_at=now)
        .returning(chunks.c.id)
    ).scalar_one()
    delivery_id: int = session.execute(
        insert(deliveries)
        .values(
            campaign_id=campaign_id,
            kind=CampaignKind.TEST,
            to_address=to_address,
            address_hash=address_hash,
            chunk_id=chunk_id,
            lane=OTHER,
            state=DeliveryState.QUEUED,
            changed_at=now,
        )
        .returning(deliveries.c.id)
    ).scalar_one()
    session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id)
        .values(
            state=CampaignState.SENDING, snapshot_at=now, planned_at=now, alive_at=now, audience=1
        )
    )
    return delivery_id
