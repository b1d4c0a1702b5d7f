"""Reads and writes of requests to subscribe; each function is one question or one change."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from subscribers.model import Status
from subscribers.signup.model import Asked, Limits, Signup, Waiting
from subscribers.signup.tables import signups
from subscribers.tables import subscriptions
from subscribers.token import Keyring

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
#: What a filled trap is noted as.
MACHINE = "ignored: filled in by a machine"
#: What is noted of what somebody had asked for who was erased before it was looked at.
ERASED = "ignored: erased since"


def ask(
    session: Session, signup: Signup, *, keyring: Keyring, limits: Limits, now: datetime
) -> Asked:
    """Keep a request unless its network asked too often: the same two statements for everybody."""
    network_hash = keyring.address_hash(f"network:{signup.network}")
    asked = session.execute(
        select(func.count())
        .select_from(signups)
        .where(signups.c.network_hash == network_hash, signups.c.received_at > now - _HOUR)
    ).scalar_one()
    if asked >= limits.per_network:
        return Asked.TOO_MANY
    body = {
        "address": signup.address.as_given,
        "language": signup.language,
        "form": signup.form,
        "words": signup.words,
        "network": signup.network,
    }
    session.execute(
        insert(signups).values(
            newsletter_id=signup.newsletter_id,
            address_hash=keyring.address_hash(signup.address.key),
            network_hash=network_hash,
            received_at=now,
            body={} if signup.is_machine else body,
            applied_at=now if signup.is_machine else None,
            result=MACHINE if signup.is_machine else None,
        )
    )
    return Asked.KEPT


def next_waiting(session: Session) -> Waiting | None:
    """The oldest request that nobody else is at work on; now ours."""
    row = session.execute(
        select(signups.c.id, signups.c.newsletter_id, signups.c.body, signups.c.received_at)
        .where(signups.c.applied_at.is_(None))
        .order_by(signups.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    return Waiting(
        id=row.id, newsletter_id=row.newsletter_id, received_at=row.received_at, **row.body
    )


def mails(session: Session, address_hash: bytes, *, now: datetime) -> list[datetime]:
    """When this address was, or will be, asked to confirm: the last day's, for any newsletter."""
    found = session.execute(
        select(signups.c.mail_at).where(
            signups.c.address_hash == address_hash, signups.c.mail_at > now - _DAY
        )
    )
    return [*found.scalars()]


def asked_lately(
    session: Session, address_hash: bytes, newsletter_id: int, *, since: datetime
) -> bool:
    """Whether the address was, or will be, asked to confirm this very newsletter."""
    found = session.execute(
        select(signups.c.id)
        .where(
            signups.c.address_hash == address_hash,
            signups.c.newsletter_id == newsletter_id,
            signups.c.mail_at > since,
        )
        .limit(1)
    )
    return found.first() is not None


def status_of(session: Session, newsletter_id: int, subscriber_id: int) -> Status | None:
    """Where a person stands with a newsletter; None: nowhere."""
    status = session.execute(
        select(subscriptions.c.status).where(
            subscriptions.c.newsletter_id == newsletter_id,
            subscriptions.c.subscriber_id == subscriber_id,
        )
    ).scalar_one_or_none()
    return Status(status) if status else None


def close(
    session: Session, signup_id: int, *, result: str, mail_at: datetime | None, now: datetime
) -> None:
    """Say what came of a request, and forget what it said."""
    session.execute(
        update(signups)
        .where(signups.c.id == signup_id)
        .values(applied_at=now, result=result, mail_at=mail_at, body={})
    )


def forget_asked(session: Session, address_hash: bytes, *, now: datetime) -> None:
    """Close what an address asked for and nobody has looked at yet: the person is erased."""
    session.execute(
        update(signups)
        .where(signups.c.address_hash == address_hash, signups.c.applied_at.is_(None))
        .values(applied_at=now, result=ERASED, body={})
    )


def forget(session: Session, *, before: datetime) -> int:
    """Forget requests that were looked at long ago; gives how many."""
    old = delete(signups).where(signups.c.applied_at.is_not(None), signups.c.received_at < before)
    return len(session.execute(old.returning(signups.c.id)).all())
