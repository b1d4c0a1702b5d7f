"""What the ledger and the events add up to; each function is one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign
from mailer.delivery import ledger
from mailer.delivery import queries as delivery_queries
from mailer.delivery.archive import queries as archived
from mailer.delivery.ledger import Balance
from mailer.delivery.model import DeliveryState
from mailer.delivery.tables import deliveries, intents, outcomes
from mailer.report.compare.queries import Reaction, reactions
from mailer.report.course.queries import Course, LaneFigure, course_of, lanes_of
from mailer.report.looks.queries import Looks, looks_of
from subscribers.tables import consents, events, subscriptions, suppressions


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """A campaign in figures: copies by state, why some did not arrive, what came back.

    Of a campaign whose ledger is rolled up neither `course` nor `lanes` are known any more;
    `not_kept` says so in words.
    """

    campaign: Campaign
    balance: Balance
    reasons: tuple[tuple[str, str, int], ...]
    attempts: int
    later: Mapping[str, int]
    unsubscribed: int
    first_at: datetime | None
    last_at: datetime | None
    looks: Looks | None
    reaction: Reaction
    course: Course | None = None
    lanes: tuple[LaneFigure, ...] = ()
    not_kept: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """Something in the books that must not be."""

    what: str
    count: int


def campaign_report(session: Session, campaign_id: int) -> CampaignReport:
    """The figures of one campaign; raises CampaignUnknown."""
    campaign = campaign_queries.get(session, campaign_id)
    first_at, last_at, attempts = _attempts(session, campaign_id)
    reaction = reactions(session, [campaign_id])[campaign_id]
    return CampaignReport(
        campaign=campaign,
        balance=ledger.balance(session, campaign_id),
        reasons=tuple(delivery_queries.failures(session, campaign_id)),
        attempts=attempts,
        later=delivery_queries.later(session, campaign_id),
        unsubscribed=reaction.unsubscribed,
        first_at=first_at,
        last_at=last_at,
        looks=looks_of(session, campaign),
        reaction=reaction,
        course=course_of(session, campaign),
        lanes=lanes_of(session, campaign),
        not_kept=_not_kept(campaign),
    )


def _not_kept(campaign: Campaign) -> tuple[str, ...]:
    if campaign.archived_at is None:
        return ()
    return (
        f"The ledger was rolled up into sums on {campaign.archived_at:%Y-%m-%d}: how far the"
        " campaign had come when, and how each lane fared, is not kept any more.",
    )


def _attempts(session: Session, campaign_id: int) -> tuple[datetime | None, datetime | None, int]:
    row = session.execute(
        select(
            func.min(intents.c.at).label("first_at"),
            func.max(intents.c.at).label("last_at"),
            func.count().label("attempts"),
        )
        .join(deliveries, deliveries.c.id == intents.c.delivery_id)
        .where(deliveries.c.campaign_id == campaign_id)
    ).one()
    rolled_up = archived.sums(session, campaign_id)
    first = [at for at in (row.first_at, *(one.first_at for one in rolled_up)) if at is not None]
    last = [at for at in (row.last_at, *(one.last_at for one in rolled_up)) if at is not None]
    attempts = row.attempts + sum(one.attempts for one in rolled_up)
    return min(first, default=None), max(last, default=None), attempts


def discrepancies(session: Session, campaign_id: int) -> list[Discrepancy]:
    """Check the books of a campaign against themselves; nothing wrong gives an empty list."""
    balance = ledger.balance(session, campaign_id)
    questions = {
        "people of the audience without an entry, or too many entries": abs(
            balance.audience - sum(balance.states.values())
        ),
        "sent without an outcome that says so": _count_sent_unproved(session, campaign_id),
        "final without a word on why it was let fly": _count_flown_unasked(session, campaign_id),
        "copies with more than one attempt that ended in 'sent'": _count_doubled(
            session, campaign_id
        ),
    }
    return [Discrepancy(what=what, count=count) for what, count in questions.items() if count]


def put_back(session: Session, campaign_id: int) -> int:
    """How many times a person has put a copy back, to be sent again."""
    times: int = session.execute(
        select(func.count())
        .select_from(outcomes)
        .join(deliveries, deliveries.c.id == outcomes.c.delivery_id)
        .where(
            deliveries.c.campaign_id == campaign_id,
            outcomes.c.verdict == delivery_queries.PUT_BACK,
        )
    ).scalar_one()
    return times


def _count_sent_unproved(session: Session, campaign_id: int) -> int:
    proved = select(outcomes.c.delivery_id).where(outcomes.c.verdict == "sent")
    return _count(
        session,
        campaign_id,
        deliveries.c.state == DeliveryState.SENT,
        deliveries.c.id.not_in(proved),
    )


def _count_flown_unasked(session: Session, campaign_id: int) -> int:
    asked = select(intents.c.delivery_id)
    return _count(
        session,
        campaign_id,
        deliveries.c.state.in_([DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN]),
        deliveries.c.id.not_in(asked),
    )


def _count_doubled(session: Session, campaign_id: int) -> int:
    doubled = (
        select(outcomes.c.delivery_id)
        .where(outcomes.c.verdict == "sent")
        .group_by(outcomes.c.delivery_id)
        .having(func.count() > 1)
    )
    return _count(session, campaign_id, deliveries.c.id.in_(doubled))


def _count(session: Session, campaign_id: int, *conditions: object) -> int:
    found: int = session.execute(
        select(func.count())
        .select_from(deliveries)
        .where(deliveries.c.campaign_id == campaign_id, *conditions)  # type: ignore[arg-type]
    ).scalar_one()
    return found


def statuses(session: Session, subscriber_id: int, newsletter_ids: Sequence[int]) -> list[str]:
    """Where a person stands with each of some newsletters that they have to do with, in order."""
    found: dict[int, str] = {
        row.newsletter_id: row.status
        for row in session.execute(
            select(subscriptions.c.newsletter_id, subscriptions.c.status).where(
                subscriptions.c.subscriber_id == subscriber_id,
                subscriptions.c.newsletter_id.in_(newsletter_ids),
            )
        )
    }
    return [found[one] for one in newsletter_ids if one in found]


def suppressed_since(session: Session, hashes: list[bytes]) -> list[tuple[datetime, str, str]]:
    """Suppressions of an address and its domain: since when, scope, why."""
    rows = session.execute(
        select(suppressions.c.at, suppressions.c.scope, suppressions.c.reason).where(
            suppressions.c.value_hash.in_(hashes)
        )
    )
    return [(row.at, row.scope, row.reason) for row in rows]


def happened(
    session: Session, subscriber_id: int, *, campaign_id: int, newsletter_ids: Sequence[int]
) -> list[tuple[datetime, str, str]]:
    """What was reported about a person in a campaign, and about their subscription."""
    told = session.execute(
        select(events.c.at, events.c.type, events.c.source, events.c.effect).where(
            events.c.subscriber_id == subscriber_id,
            (events.c.campaign_id == campaign_id)
            | (events.c.campaign_id.is_(None) & events.c.newsletter_id.in_(newsletter_ids)),
        )
    )
    agreed = session.execute(
        select(consents.c.at, consents.c.action, consents.c.source).where(
            consents.c.subscriber_id == subscriber_id, consents.c.newsletter_id.in_(newsletter_ids)
        )
    )
    return [
        *((row.at, f"{row.type}, reported by {row.source}", row.effect) for row in told),
        *((row.at, f"consent: {row.action}", f"by {row.source}") for row in agreed),
    ]
