"""The statements by which a chunk is taken and let go, put into words once (see `gate`)."""

from __future__ import annotations

from functools import cache

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    and_,
    bindparam,
    case,
    exists,
    func,
    null,
    or_,
    select,
    update,
)

from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery import lifecycle
from mailer.delivery.lifecycle import Step
from mailer.delivery.model import DeliveryState
from mailer.delivery.tables import chunks, deliveries
from subscribers.database import Moment
from subscribers.prepared import Prepared
from subscribers.tables import newsletters

#: How the campaigns of alarms to owners are known (`mailer.notice.send.checksum`).
ALARMS = "notice-alarm-"
_NOW = bindparam("the_now", type_=Moment)


@cache
def next_chunk(lanes: int, *, of_one: bool) -> Prepared:
    """Takes the next chunk that is due and free: id, campaign, token, lane; no row if none is.

    Leaves out as many lanes as it is given, `full_0` and so on; `of_one`: of `the_campaign`.
    """
    return Prepared(lambda _: _taking(lanes, of_one=of_one))


def _taking(lanes: int, *, of_one: bool) -> ClauseElement:
    free = and_(
        chunks.c.due_at <= _NOW,
        or_(chunks.c.lease_until.is_(None), chunks.c.lease_until <= _NOW),
        *(chunks.c.lane != bindparam(f"full_{number}") for number in range(lanes)),
        chunks.c.wave <= in_wave(),
    )
    this_one = campaigns.c.id == bindparam("the_campaign")
    next_campaign = (
        select(campaigns.c.id)
        .where(
            running(),
            this_one if of_one else campaigns.c.kind != CampaignKind.TEST,
            exists().where(chunks.c.campaign_id == campaigns.c.id, free),
        )
        .order_by(
            case((campaigns.c.kind == CampaignKind.ISSUE, 1), else_=0),
            campaigns.c.served_at.is_not(None),
            campaigns.c.served_at,
            campaigns.c.id,
        )
        .limit(1)
        .scalar_subquery()
    )
    next_chunk = (
        select(chunks.c.id)
        .where(chunks.c.campaign_id == next_campaign, free)
        .order_by(chunks.c.priority, chunks.c.due_at, chunks.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return (
        update(chunks)
        .where(chunks.c.id == next_chunk, free)
        .values(
            token=chunks.c.token + 1,
            owner=bindparam("the_worker"),
            lease_until=bindparam("the_lease", type_=Moment),
        )
        .returning(chunks.c.id, chunks.c.campaign_id, chunks.c.token, chunks.c.lane)
    )


def running() -> ColumnElement[bool]:
    """Whether a campaign is being sent and was driven after `the_silence`."""
    return and_(
        campaigns.c.state == CampaignState.SENDING,
        campaigns.c.alive_at > bindparam("the_silence", type_=Moment),
    )


def in_wave() -> ColumnElement[int]:
    """How far the campaign of a chunk may go: its canary first, the rest when that did well."""
    return (
        select(campaigns.c.wave)
        .where(campaigns.c.id == chunks.c.campaign_id)
        .correlate(chunks)
        .scalar_subquery()
    )


def held() -> ColumnElement[bool]:
    """Whether a chunk is ours: `the_chunk` with `the_token`."""
    return and_(chunks.c.id == bindparam("the_chunk"), chunks.c.token == bindparam("the_token"))


#: The relay that a campaign's newsletter insists on. An alarm takes any way out: its newsletter's
#: own relay may be the trouble.
RELAY = Prepared(
    lambda _: (
        select(case((~campaigns.c.checksum.startswith(ALARMS), newsletters.c.relay)))
        .select_from(campaigns)
        .join(newsletters, campaigns.c.newsletter_id == newsletters.c.id)
        .where(campaigns.c.id == bindparam("the_campaign"))
    )
)
#: A campaign that was served waits for its turn. Where somebody else changes its row just now,
#: it is let be: the turn matters less than not to wait for one who may have been stopped. Rows that
#: refer to it may come meanwhile (NO KEY UPDATE).
SERVED = Prepared(
    lambda _: (
        update(campaigns)
        .where(
            campaigns.c.id
            == select(campaigns.c.id)
            .where(campaigns.c.id == bindparam("the_campaign"))
            .with_for_update(skip_locked=True, key_share=True)
            .scalar_subquery()
        )
        .values(served_at=bindparam("the_now", type_=Moment))
    )
)
#: Locks a chunk of ours.
OURS = Prepared(lambda _: select(chunks.c.id).where(held()).with_for_update())
#: Lets a chunk of ours go, due when its next copy is; done if none waits.
FREE = Prepared(
    lambda _: (
        update(chunks)
        .where(held())
        .values(
            owner=null(),
            lease_until=null(),
            woken_at=null(),
            due_at=select(func.min(func.coalesce(deliveries.c.due_at, _NOW)))
            .where(
                deliveries.c.chunk_id == bindparam("the_chunk"),
                or_(
                    *(
                        deliveries.c.state == state
                        for state in (*lifecycle.before(Step.INTENT), DeliveryState.SENDING)
                    )
                ),
            )
            .scalar_subquery(),
        )
    )
)
#: And not before a moment.
NOT_BEFORE = Prepared(
    lambda _: (
        update(chunks)
        .where(held(), chunks.c.due_at < bindparam("the_first", type_=Moment))
        .values(due_at=bindparam("the_first", type_=Moment))
    )
)
