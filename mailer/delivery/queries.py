"""Reads of the ledger; each function is one question."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, Text, and_, bindparam, cast, func, or_, select, update
from sqlalchemy.orm import Session

from mailer.campaign.model import CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery import lifecycle
from mailer.delivery.archive import queries as archived
from mailer.delivery.lifecycle import Step
from mailer.delivery.model import Claim, DeliveryState, Recipient
from mailer.delivery.tables import chunks, deliveries, intents, outcomes
from subscribers.database import as_moment
from subscribers.prepared import Prepared
from subscribers.tables import subscribers

#: Stands among the outcomes, as a verdict of ours, where a person put a copy back.
PUT_BACK = "put-back"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A copy that waits for its next try, and whom it is for; `first_at` None before the first."""

    recipient: Recipient
    attempt: int
    first_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One line of a copy's story, in order of time."""

    at: datetime
    what: str
    evidence: str = ""


def waiting(
    session: Session, claim: Claim, *, after: int, now: datetime, limit: int
) -> list[Waiting]:
    """The next copies of a claimed chunk that are due, by id, with their people."""
    rows = _WAITING.run(
        session, the_chunk=claim.chunk_id, the_last=after, the_now=now, the_limit=limit
    )
    return [_waiting(*row) for row in rows]


def _waiting(
    delivery_id: int,
    attempt: int,
    first_at: datetime | str | None,
    to_address: str | None,
    subscriber_id: int | None,
    address: str | None,
    name: str | None,
    language: str | None,
    attributes: str | None,
) -> Waiting:
    recipient = Recipient(
        delivery_id=delivery_id,
        subscriber_id=subscriber_id,
        # Erased meanwhile: no address is left, and the gate will say so.
        address=to_address or address or "",
        name=name or "",
        language=language,
        attributes=_decode(attributes) if attributes else {},
    )
    return Waiting(recipient=recipient, attempt=attempt, first_at=as_moment(first_at))


_decode = json.JSONDecoder().decode
_WAITING = Prepared(
    lambda _: (
        select(
            deliveries.c.id,
            deliveries.c.attempt,
            deliveries.c.first_at,
            deliveries.c.to_address,
            deliveries.c.subscriber_id,
            subscribers.c.address,
            subscribers.c.name,
            subscribers.c.language,
            cast(subscribers.c.attributes, Text),
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(
            deliveries.c.chunk_id == bindparam("the_chunk"),
            deliveries.c.id > bindparam("the_last"),
            or_(*(deliveries.c.state == state for state in lifecycle.before(Step.INTENT))),
            or_(deliveries.c.due_at.is_(None), deliveries.c.due_at <= bindparam("the_now")),
        )
        .order_by(deliveries.c.id)
        .limit(bindparam("the_limit", type_=Integer))
    )
)


def to_wake(session: Session, *, now: datetime, woken_before: datetime, limit: int) -> list[int]:
    """Mark the free chunks that are due, and not woken lately, as woken now; gives their ids."""
    due = (
        select(chunks.c.id)
        .join(campaigns, campaigns.c.id == chunks.c.campaign_id)
        .where(
            campaigns.c.state == CampaignState.SENDING,
            campaigns.c.kind != "test",
            chunks.c.due_at <= now,
            chunks.c.wave <= campaigns.c.wave,
            or_(chunks.c.lease_until.is_(None), chunks.c.lease_until <= now),
            or_(chunks.c.woken_at.is_(None), chunks.c.woken_at <= woken_before),
        )
        .order_by(chunks.c.priority, chunks.c.due_at)
        .limit(limit)
        .with_for_update(of=chunks, skip_locked=True)
    )
    return [
        *session.execute(
            update(chunks).where(chunks.c.id.in_(due)).values(woken_at=now).returning(chunks.c.id)
        ).scalars()
    ]


def state_of(session: Session, delivery_id: int) -> DeliveryState:
    """The state of one copy."""
    return DeliveryState(
        session.execute(
            select(deliveries.c.state).where(deliveries.c.id == delivery_id)
        ).scalar_one()
    )


def next_due(session: Session, campaign_id: int) -> datetime | None:
    """When the next copy of a campaign may be tried; None where nothing waits."""
    due_at: datetime | None = session.execute(
        select(func.min(chunks.c.due_at)).where(chunks.c.campaign_id == campaign_id)
    ).scalar_one()
    return due_at


def failures(session: Session, campaign_id: int, *, limit: int = 20) -> list[tuple[str, str, int]]:
    """Why copies failed, were put off or left out: state, reason, how many; most first."""
    rows = session.execute(
        select(deliveries.c.state, deliveries.c.reason, func.count().label("copies"))
        .where(deliveries.c.campaign_id == campaign_id, deliveries.c.reason.is_not(None))
        .group_by(deliveries.c.state, deliveries.c.reason)
        .order_by(func.count().desc())
        .limit(limit)
    )
    told = Counter({(row.state, row.reason): row.copies for row in rows})
    for one in archived.sums(session, campaign_id):
        if one.reason:
            told[str(one.state), one.reason] += one.copies
    return [(state, reason, copies) for (state, reason), copies in told.most_common(limit)]


def later(session: Session, campaign_id: int) -> dict[str, int]:
    """What the world said later: how many copies were delivered, bounced, complained of."""
    rows = session.execute(
        select(deliveries.c.later, func.count().label("copies"))
        .where(deliveries.c.campaign_id == campaign_id, deliveries.c.later.is_not(None))
        .group_by(deliveries.c.later)
    )
    told = Counter({row.later: row.copies for row in rows})
    for one in archived.sums(session, campaign_id):
        if one.later:
            told[one.later] += one.copies
    return dict(told)


def copies_out(session: Session, campaign_id: int) -> int:
    """How many people have, or may have, a copy of a campaign."""
    return session.execute(
        select(func.count())
        .select_from(deliveries)
        .where(
            deliveries.c.campaign_id == campaign_id,
            deliveries.c.state.in_(
                [DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.SENDING]
            ),
        )
    ).scalar_one()


def ids_in_state(session: Session, campaign_id: int, state: DeliveryState) -> Iterator[int]:
    """The deliveries of a campaign in one state, by id, streamed."""
    yield from session.execute(
        select(deliveries.c.id)
        .where(deliveries.c.campaign_id == campaign_id, deliveries.c.state == state)
        .order_by(deliveries.c.id)
        .execution_options(yield_per=1000)
    ).scalars()


def story(session: Session, delivery_id: int) -> list[Happening]:
    """Everything the ledger knows of one copy, by time."""
    happenings = [
        Happening(
            at=row.at,
            what=f"attempt {row.attempt}: let fly through relay {row.relay}",
            evidence=f"worker {row.worker}, chunk {row.chunk_id}, token {row.token}",
        )
        for row in session.execute(select(intents).where(intents.c.delivery_id == delivery_id))
    ]
    for row in session.execute(select(outcomes).where(outcomes.c.delivery_id == delivery_id)):
        code = " ".join(str(part) for part in (row.code or None, row.enhanced) if part)
        what = f"attempt {row.attempt}: {row.verdict} in phase {row.phase}"
        if row.verdict == PUT_BACK:
            what = f"put back by hand after attempt {row.attempt}"
        if row.reason != "unknown":
            what += f", {row.reason}"
        happenings.append(
            Happening(at=row.at, what=what, evidence=" ".join(p for p in (code, row.reply) if p))
        )
    return sorted(happenings, key=lambda h: h.at)


def opening_of(session: Session, delivery_id: int) -> datetime | None:
    """Before which moment a copy does not leave, by its person's own clock; None: there is none.

    The zone is the one they had when the audience was fixed.
    """
    opens_at: datetime | None = session.execute(
        select(chunks.c.opens_at)
        .join(deliveries, deliveries.c.chunk_id == chunks.c.id)
        .where(deliveries.c.id == delivery_id)
    ).scalar_one_or_none()
    return opens_at


def delivery_of(
    session: Session, campaign_id: int, *, address_hash: bytes
) -> tuple[int, DeliveryState, str | None, datetime] | None:
    """The copy of one person in a campaign: id, state, reason, since when."""
    row = session.execute(
        select(
            deliveries.c.id, deliveries.c.state, deliveries.c.reason, deliveries.c.changed_at
        ).where(
            and_(deliveries.c.campaign_id == campaign_id, deliveries.c.address_hash == address_hash)
        )
    ).first()
    return (row.id, DeliveryState(row.state), row.reason, row.changed_at) if row else None
