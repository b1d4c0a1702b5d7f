"""A person's copies in the ledger, and what else of them mail and webhooks leave behind."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from mailer.campaign.tables import campaigns
from mailer.delivery.domains.queries import Source
from mailer.delivery.tables import deliveries, domains
from mailer.feedback.tables import intake
from subscribers.address import Address
from subscribers.outbox.tables import outbox
from subscribers.privacy.mask import without
from subscribers.privacy.queries import AT_ONCE, Holding
from subscribers.signup.tables import signups
from subscribers.tables import subscribers


def forget_tests(session: Session, address_hash: bytes) -> None:
    """Take an address off the test copies that somebody sent there."""
    session.execute(
        update(deliveries)
        .where(
            deliveries.c.subscriber_id.is_(None),
            deliveries.c.address_hash == address_hash,
            deliveries.c.to_address.is_not(None),
        )
        # Not null: a copy without a typed address would look for a subscriber.
        .values(to_address="")
    )


def forget_in_audiences(session: Session, address: Address) -> None:
    """Take an address out of the conditions that campaigns were scheduled with."""
    rows = session.execute(
        select(campaigns.c.id, campaigns.c.segment).where(campaigns.c.segment.is_not(None))
    )
    for row in rows.all():
        words = without(row.segment, address)
        if words != row.segment:
            session.execute(update(campaigns).where(campaigns.c.id == row.id).values(segment=words))


def forget_lane(session: Session, domain: str) -> None:
    """Forget what was looked up of a domain that nobody else has: it may name its owner."""
    session.execute(
        delete(domains).where(
            domains.c.domain == domain,
            domains.c.source == Source.MX,
            ~exists().where(subscribers.c.domain == domain),
        )
    )


def purge_tests(session: Session, *, before: datetime) -> int:
    """Take the addresses off some old test copies; gives how many."""
    old = (
        select(deliveries.c.id)
        .where(
            deliveries.c.subscriber_id.is_(None),
            deliveries.c.to_address != "",
            deliveries.c.changed_at < before,
        )
        .limit(AT_ONCE)
    )
    statement = update(deliveries).where(deliveries.c.id.in_(old)).values(to_address="")
    return len(session.execute(statement.returning(deliveries.c.id)).all())


def holdings(session: Session) -> list[Holding]:
    """How much of each kind of record about people the ledger and the intake hold."""
    count = func.count()
    kinds = {
        "copies in the ledger": select(count, func.min(deliveries.c.changed_at)),
        "test copies that name an address": select(count, func.min(deliveries.c.changed_at)).where(
            deliveries.c.subscriber_id.is_(None), deliveries.c.to_address != ""
        ),
        "webhooks' requests as they came": select(count, func.min(intake.c.received_at)).where(
            func.length(intake.c.body) > 0
        ),
        "requests to subscribe that wait to be looked at": select(
            count, func.min(signups.c.received_at)
        ).where(signups.c.applied_at.is_(None)),
        "requests to subscribe, by hash alone": select(
            count, func.min(signups.c.received_at)
        ).where(signups.c.applied_at.is_not(None)),
        "news for systems of yours, by number alone": select(count, func.min(outbox.c.written_at)),
    }
    found = []
    for what, query in kinds.items():
        number, oldest = session.execute(query).one()
        found.append(Holding(what=what, count=number, oldest=oldest))
    return found
