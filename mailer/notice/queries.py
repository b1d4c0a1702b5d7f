"""Notices in the ledger; each function is one question or one change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind, CampaignState, OwnerKnows
from mailer.campaign.tables import campaigns
from mailer.delivery.model import DeliveryState
from mailer.delivery.plan import lane_of
from mailer.delivery.tables import chunks, deliveries
from mailer.errors import AlreadyScheduled
from mailer.notice.model import Notice
from mailer.render.model import Rendering
from subscribers.database import upsert
from subscribers.errors import DatabaseBusy
from subscribers.tables import subscribers

#: What is true of a person, or not.
Condition = ColumnElement[bool]
#: Before everything else.
PRIORITY = 0
#: A campaign silent for so long will be found late; what is new must not wait with it.
_SILENT = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Addressee:
    """Whom a notice is for: a person by id, or an address that is nobody's here (an owner's)."""

    address_hash: bytes
    domain: str
    subscriber_id: int | None = None
    to_address: str | None = None


def append(
    session: Session,
    rendering: Rendering,
    addressee: Addressee,
    *,
    newsletter_id: int,
    checksum: str,
    due_at: datetime,
    now: datetime,
) -> int:
    """Add one notice to the campaign of its kind; gives the delivery's id.

    Nobody is twice in one campaign: who got this notice before gets it from the next edition.
    Raises DatabaseBusy where somebody else did the same in this moment; try again.
    """
    campaign_id = _campaign(
        session, rendering, addressee, newsletter_id=newsletter_id, checksum=checksum, now=now
    )
    chunk_id = session.execute(
        insert(chunks)
        .values(
            campaign_id=campaign_id,
            lane=lane_of(literal(addressee.domain)),
            priority=PRIORITY,
            size=1,
            due_at=due_at,
        )
        .returning(chunks.c.id)
    ).scalar_one()
    added = session.execute(
        upsert(session, deliveries)
        .values(
            campaign_id=campaign_id,
            kind=CampaignKind.NOTICE,
            subscriber_id=addressee.subscriber_id,
            to_address=addressee.to_address,
            address_hash=addressee.address_hash,
            chunk_id=chunk_id,
            lane=select(chunks.c.lane).where(chunks.c.id == chunk_id).scalar_subquery(),
            state=DeliveryState.QUEUED,
            attempt=0,
            changed_at=now,
        )
        .on_conflict_do_nothing()
        .returning(deliveries.c.id)
    ).scalar_one_or_none()
    if added is None:
        raise DatabaseBusy
    session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id)
        .values(audience=campaigns.c.audience + 1)
    )
    delivery_id: int = added
    return delivery_id


def untold(session: Session) -> list[tuple[int, OwnerKnows]]:
    """What owners were not told of the course of their issues, in its order."""
    at_work = exists().where(chunks.c.campaign_id == campaigns.c.id, chunks.c.due_at.is_not(None))
    cancelled = and_(
        campaigns.c.state == CampaignState.CANCELLED, campaigns.c.snapshot_at.is_not(None), ~at_work
    )
    reached = {
        OwnerKnows.START: campaigns.c.planned_at.is_not(None),
        OwnerKnows.END: or_(campaigns.c.state == CampaignState.FINISHED, cancelled),
    }
    return [
        (campaign_id, what)
        for what, condition in reached.items()
        for campaign_id in session.scalars(
            select(campaigns.c.id)
            .where(campaigns.c.owner_knows.in_(_BEFORE[what]), condition)
            .order_by(campaigns.c.id)
        )
    ]


def take_turn(session: Session, campaign_id: int, what: OwnerKnows) -> bool:
    """Whether it is for the caller to tell the owner: nobody else has."""
    taken = session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id, campaigns.c.owner_knows.in_(_BEFORE[what]))
        .values(owner_knows=what)
        .returning(campaigns.c.id)
    ).first()
    return taken is not None


_BEFORE = {
    OwnerKnows.START: (OwnerKnows.NOTHING,),
    OwnerKnows.END: (OwnerKnows.NOTHING, OwnerKnows.START),
}


def last_opening(session: Session, campaign_id: int) -> datetime | None:
    """When the last people's own clocks show the time of a campaign."""
    last: datetime | None = session.execute(
        select(func.max(chunks.c.opens_at)).where(chunks.c.campaign_id == campaign_id)
    ).scalar_one()
    return last


def made_at(session: Session, campaign_id: int) -> datetime | None:
    """When the notices of a campaign began, a day of them at most; None: it carries none."""
    made: datetime | None = session.execute(
        select(campaigns.c.created_at).where(
            campaigns.c.id == campaign_id, campaigns.c.kind == CampaignKind.NOTICE
        )
    ).scalar_one_or_none()
    return made


def was_written(session: Session, notice: Notice, address_hash: bytes, *, since: datetime) -> bool:
    """Whether this address was written a notice of this kind since then."""
    found = session.execute(
        select(deliveries.c.id)
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(
            deliveries.c.address_hash == address_hash,
            deliveries.c.kind == CampaignKind.NOTICE,
            deliveries.c.changed_at > since,
            campaigns.c.checksum.startswith(f"notice-{notice}-"),
        )
        .limit(1)
    )
    return found.first() is not None


def is_of(session: Session, notice: Notice, campaign_id: int) -> bool:
    """Whether a campaign carries notices of this kind."""
    checksum = session.execute(
        select(campaigns.c.checksum).where(
            campaigns.c.id == campaign_id, campaigns.c.kind == CampaignKind.NOTICE
        )
    ).scalar_one_or_none()
    return checksum is not None and checksum.startswith(f"notice-{notice}-")


def has_got(
    session: Session,
    notice: Notice,
    newsletter_id: int,
    *,
    since: datetime,
    until: datetime,
    sent: bool = False,
) -> Condition:
    """The condition, over `subscribers`, that a person was written such a notice in a span.

    `sent`: and that it left.
    """
    those = session.execute(
        select(campaigns.c.id).where(
            campaigns.c.newsletter_id == newsletter_id,
            campaigns.c.kind == CampaignKind.NOTICE,
            campaigns.c.checksum.startswith(f"notice-{notice}-"),
        )
    ).scalars()
    # By campaign and address: that is how a ledger of any size is looked up.
    found = exists().where(
        deliveries.c.campaign_id.in_([*those]),
        deliveries.c.address_hash == subscribers.c.address_hash,
        deliveries.c.changed_at > since,
        deliveries.c.changed_at <= until,
    )
    return found.where(deliveries.c.state == DeliveryState.SENT) if sent else found


def _campaign(
    session: Session,
    rendering: Rendering,
    addressee: Addressee,
    *,
    newsletter_id: int,
    checksum: str,
    now: datetime,
) -> int:
    """The first edition that this address has no copy of and that is under way, or a new one."""
    same = and_(campaigns.c.newsletter_id == newsletter_id, campaigns.c.checksum == checksum)
    has_copy = (
        select(deliveries.c.campaign_id)
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(same, deliveries.c.address_hash == addressee.address_hash)
    )
    # One that a person or a rule holds takes more; one that nothing drove will be paused as late.
    under_way = or_(
        and_(campaigns.c.state == CampaignState.SENDING, campaigns.c.alive_at > now - _SILENT),
        and_(
            campaigns.c.state == CampaignState.PAUSED,
            ~campaigns.c.pause_reason.startswith("late"),
        ),
    )
    found: int | None = session.execute(
        select(campaigns.c.id)
        .where(same, under_way, campaigns.c.id.not_in(has_copy))
        .order_by(campaigns.c.edition)
        .limit(1)
    ).scalar_one_or_none()
    if found is not None:
        return found
    edition = session.execute(select(func.count()).select_from(campaigns).where(same)).scalar_one()
    return _open(
        session,
        rendering,
        newsletter_id=newsletter_id,
        checksum=checksum,
        edition=edition,
        now=now,
    )


def _open(
    session: Session,
    rendering: Rendering,
    *,
    newsletter_id: int,
    checksum: str,
    edition: int,
    now: datetime,
) -> int:
    try:
        campaign_id = campaign_queries.add(
            session,
            rendering,
            kind=CampaignKind.NOTICE,
            newsletter_id=newsletter_id,
            issue_number=None,
            checksum=checksum,
            edition=edition,
            due_at=now,
            timezone="UTC",
            now=now,
        )
    except AlreadyScheduled as exc:
        raise DatabaseBusy from exc
    session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id)
        .values(state=CampaignState.SENDING, snapshot_at=now, planned_at=now)
    )
    return campaign_id
