"""Reads and writes for what comes back; each function is one question or one change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from mailer.campaign.model import CampaignKind
from mailer.campaign.tables import campaigns
from mailer.delivery.model import DeliveryState, Verdict
from mailer.delivery.tables import deliveries, outcomes
from mailer.delivery.union.queries import newsletter_of
from mailer.feedback.model import (
    Applied,
    Arrived,
    Copy,
    Later,
    Place,
    Request,
    Unparsed,
)
from mailer.feedback.tables import intake
from subscribers.address import Address
from subscribers.event import EventType
from subscribers.model import Status
from subscribers.privacy.mask import without_bytes
from subscribers.tables import events, newsletters, subscribers, subscriptions, suppressions
from subscribers.transfer.bulk import among, insert_new, update_rows

#: One provider's id names few copies; a relay that numbers from 1 again names more.
_MOST_OF_ONE_ID = 20


# --- copies -------------------------------------------------------------------------------------


def copy_of(session: Session, delivery_id: int) -> Copy | None:
    """The copy with this id."""
    row = session.execute(_copies().where(deliveries.c.id == delivery_id)).mappings().first()
    return _copy(row) if row else None


def copies_of(session: Session, delivery_ids: Collection[int]) -> dict[int, Copy]:
    """The copies with these ids, those there are, by id."""
    rows = session.execute(
        _copies().where(among(session, deliveries.c.id, delivery_ids))
    ).mappings()
    return {row["id"]: _copy(row) for row in rows}


def copies_of_provider_ids(
    session: Session, provider_ids: Collection[str]
) -> Mapping[str, list[Copy]]:
    """The copies to which a relay gave these ids, by id, newest first."""
    named: dict[str, list[int]] = defaultdict(list)
    for row in session.execute(
        select(outcomes.c.provider_id, outcomes.c.delivery_id)
        .where(among(session, outcomes.c.provider_id, provider_ids))
        .distinct()
        .order_by(outcomes.c.delivery_id.desc())
    ):
        if len(named[row.provider_id]) < _MOST_OF_ONE_ID:
            named[row.provider_id].append(row.delivery_id)
    copies = copies_of(session, {one for those in named.values() for one in those})
    return {name: [copies[one] for one in those] for name, those in named.items()}


def _copies() -> Select[tuple[object, ...]]:
    left: ColumnElement[bool] = or_(
        deliveries.c.state.in_([DeliveryState.SENT, DeliveryState.SENDING, DeliveryState.UNKNOWN]),
        exists().where(
            outcomes.c.delivery_id == deliveries.c.id,
            outcomes.c.verdict.in_([Verdict.SENT, Verdict.UNKNOWN]),
        ),
    )
    return (
        select(
            deliveries.c.id,
            deliveries.c.kind,
            deliveries.c.campaign_id,
            newsletter_of().label("newsletter_id"),
            newsletters.c.name.label("newsletter"),
            deliveries.c.subscriber_id,
            func.coalesce(deliveries.c.to_address, subscribers.c.address).label("address"),
            deliveries.c.address_hash,
            deliveries.c.state,
            left.label("has_left"),
        )
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .join(newsletters, newsletters.c.id == newsletter_of())
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    )


def _copy(row: RowMapping) -> Copy:
    return Copy(
        delivery_id=row["id"],
        kind=CampaignKind(row["kind"]),
        campaign_id=row["campaign_id"],
        newsletter_id=row["newsletter_id"],
        newsletter=row["newsletter"],
        subscriber_id=row["subscriber_id"],
        address=row["address"],
        address_hash=row["address_hash"],
        state=DeliveryState(row["state"]),
        has_left=bool(row["has_left"]),
    )


def hold_copies(session: Session, delivery_ids: Collection[int]) -> None:
    """Let nobody else move these copies until the transaction's end; later statements see what
    those did who were first."""
    # In one order everywhere, so that two who do this never wait for each other.
    session.execute(
        select(deliveries.c.id)
        .where(among(session, deliveries.c.id, delivery_ids))
        .order_by(deliveries.c.id)
        .with_for_update(key_share=True)
    )


def note_later(session: Session, later: Later, moments: Mapping[int, datetime]) -> None:
    """Note what the world said of copies, and when, unless it said something graver."""
    hold_copies(session, moments)
    update_rows(
        session,
        deliveries,
        [{"id": one, "later": later, "later_at": at} for one, at in moments.items()],
        key=[deliveries.c.id],
        only=or_(
            deliveries.c.later.is_(None),
            # Not IN: its list can't be written out for many rows at once.
            *(deliveries.c.later == lesser.value for lesser in later.outranked),
        ),
    )


# --- people -------------------------------------------------------------------------------------


def hold_status(session: Session, copy: Copy, newsletter_id: int) -> Status | None:
    """Where the copy's recipient stands with a newsletter; nobody else moves them meanwhile.

    None where the recipient is nobody (a test), or never had to do with this newsletter.
    """
    # The same lock, first of all, that the one writer of events takes.
    session.execute(
        select(subscribers.c.id)
        .where(subscribers.c.id == copy.subscriber_id)
        .with_for_update(key_share=True)
    )
    status = session.execute(
        select(subscriptions.c.status).where(
            subscriptions.c.subscriber_id == copy.subscriber_id,
            subscriptions.c.newsletter_id == newsletter_id,
        )
    ).scalar_one_or_none()
    return Status(status) if status else None


def places_of(session: Session, copy: Copy) -> list[Place]:
    """Every newsletter the copy's recipient has to do with, by name."""
    rows = session.execute(
        select(newsletters.c.id, newsletters.c.name, subscriptions.c.status)
        .join(newsletters, newsletters.c.id == subscriptions.c.newsletter_id)
        .where(subscriptions.c.subscriber_id == copy.subscriber_id)
        .order_by(newsletters.c.name, newsletters.c.id)
    )
    return [
        Place(
            newsletter_id=row.id,
            newsletter=row.name,
            status=Status(row.status),
            can_return=left_by(session, copy, row.id),
        )
        for row in rows.all()
    ]


def left_by(session: Session, copy: Copy, newsletter_id: int) -> bool:
    """Whether a link of this copy is how its recipient left a newsletter they did get.

    And whether that is all that keeps them from it: an address that is suppressed is not.
    """
    suppressed = exists().where(
        suppressions.c.value_hash.in_([subscribers.c.address_hash, subscribers.c.domain_hash]),
        suppressions.c.newsletter_id.in_([0, newsletter_id]),
    )
    last = session.execute(
        select(events.c.delivery_id, events.c.source, events.c.evidence)
        .join(subscribers, subscribers.c.id == events.c.subscriber_id)
        .join(
            subscriptions,
            (subscriptions.c.subscriber_id == events.c.subscriber_id)
            & (subscriptions.c.newsletter_id == events.c.newsletter_id),
        )
        .where(
            events.c.subscriber_id == copy.subscriber_id,
            events.c.newsletter_id == newsletter_id,
            events.c.type == EventType.UNSUBSCRIBED,
            subscriptions.c.status == Status.UNSUBSCRIBED,
            ~suppressed,
        )
        .order_by(events.c.id.desc())
        .limit(1)
    ).first()
    return (
        last is not None
        and last.source == "web"
        and last.delivery_id == copy.delivery_id
        and last.evidence.get("was") == Status.ACTIVE
    )


def times(session: Session, copy: Copy, newsletter_id: int, kind: EventType) -> int:
    """How often a link of this copy was used for this before."""
    return session.execute(
        select(func.count())
        .select_from(events)
        .where(
            events.c.delivery_id == copy.delivery_id,
            events.c.newsletter_id == newsletter_id,
            events.c.source == "web",
            events.c.type == kind,
        )
    ).scalar_one()


# --- requests -----------------------------------------------------------------------------------


def keep_requests(session: Session, arrived: Sequence[Arrived]) -> list[bool]:
    """Keep raw requests until they are applied; False for those we have already."""
    fresh = insert_new(
        session,
        intake,
        [
            {
                "provider": one.provider,
                "request_id": one.request_id,
                "received_at": one.received_at,
                "body": one.body,
            }
            for one in {(one.provider, one.request_id): one for one in reversed(arrived)}.values()
        ],
        key=[intake.c.provider, intake.c.request_id],
    )
    answers = []
    for one in arrived:
        answers.append((one.provider, one.request_id) in fresh)
        fresh.discard((one.provider, one.request_id))
    return answers


def next_requests(session: Session, *, after: int, most: int, most_bytes: int) -> list[Request]:
    """The oldest waiting requests with greater ids that nobody else is at work on; now ours.

    At least one, where there is any; then no more than `most`, and `most_bytes` of bodies.
    """
    waiting = (
        select(intake.c.id, func.length(intake.c.body).label("size"))
        .where(intake.c.applied_at.is_(None), intake.c.id > after)
        .order_by(intake.c.id)
        .limit(most)
        # SQLite has no row locks and needs none: a write transaction is alone.
        .with_for_update(skip_locked=True)
    )
    ids: list[int] = []
    left = most_bytes
    for row in session.execute(waiting):
        left -= row.size
        if ids and left < 0:
            break
        ids.append(row.id)
    rows = session.execute(
        select(
            intake.c.id,
            intake.c.provider,
            intake.c.request_id,
            intake.c.received_at,
            intake.c.body,
        )
        .where(intake.c.id.in_(ids))
        .order_by(intake.c.id)
    )
    return [Request(**row) for row in rows.mappings()]


def mark_applied(session: Session, applied: Sequence[Applied], *, now: datetime) -> None:
    """Say what came of requests; empty the bodies of those that were understood.

    The row stays, so that the same request is still known.
    """
    for is_done, emptied in ((False, {}), (True, {"body": b""})):
        rows = [
            {"id": one.request_id, "result": one.result, "applied_at": now, **emptied}
            for one in applied
            if one.is_done is is_done
        ]
        waiting = intake.c.applied_at.is_(None)
        update_rows(session, intake, rows, key=[intake.c.id], only=waiting)


def forget_bodies(session: Session, *, until: datetime) -> int:
    """Empty the bodies of all requests applied up to a moment; gives how many."""
    forgotten = session.execute(
        update(intake)
        .where(intake.c.applied_at <= until, func.length(intake.c.body) > 0)
        .values(body=b"")
        .returning(intake.c.id)
    )
    return len(forgotten.all())


def forget_in_waiting(session: Session, address: Address) -> None:
    """Take an address out of requests that are still to be applied: they wait with all else."""
    waiting = select(intake.c.id).where(intake.c.applied_at.is_(None)).order_by(intake.c.id)
    # One by one: there may be many, and each may be long.
    for request_id in [*session.execute(waiting).scalars()]:
        this = intake.c.id == request_id
        body = session.execute(select(intake.c.body).where(this)).scalar_one()
        emptied = without_bytes(body, address)
        if emptied != body:
            session.execute(update(intake).where(this).values(body=emptied))


def answers(session: Session) -> None:
    """Ask the database anything; raises DatabaseUnavailable where it is silent."""
    session.execute(select(intake.c.id).limit(1))


def not_understood(session: Session, provider: str, *, most: int) -> list[Unparsed]:
    """What of a provider nobody understood and is still kept, newest first."""
    rows = session.execute(
        _unparsed(provider)
        .with_only_columns(
            intake.c.id, intake.c.received_at, intake.c.result, func.length(intake.c.body)
        )
        .order_by(intake.c.id.desc())
        .limit(most)
    )
    return [Unparsed(id=row[0], received_at=row[1], why=row[2] or "", size=row[3]) for row in rows]


def body_of(session: Session, provider: str, request_id: int) -> bytes | None:
    """The raw content of what was not understood; None where there is no such thing."""
    return session.execute(
        _unparsed(provider).with_only_columns(intake.c.body).where(intake.c.id == request_id)
    ).scalar_one_or_none()


def wait_again(session: Session, provider: str) -> int:
    """Put what was not understood back in line, for a parser that has learnt; gives how many."""
    again = session.execute(
        update(intake)
        .where(
            intake.c.provider == provider,
            intake.c.applied_at.is_not(None),
            func.length(intake.c.body) > 0,
        )
        .values(applied_at=None, result=None)
        .returning(intake.c.id)
    )
    return len(again.all())


def _unparsed(provider: str) -> Select[tuple[object, ...]]:
    return select(intake).where(
        intake.c.provider == provider,
        intake.c.applied_at.is_not(None),
        func.length(intake.c.body) > 0,
    )
