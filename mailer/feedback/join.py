"""People ask by a form to get a newsletter; they are asked back by mail, and confirm."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from mailer.campaign.model import CampaignKind
from mailer.feedback import queries
from mailer.feedback.model import Copy
from mailer.notice import queries as notices
from mailer.notice.model import Notice
from mailer.notice.send import Post, send
from subscribers import address
from subscribers import queries as people
from subscribers.database import Database
from subscribers.errors import (
    DatabaseBusy,
    NewsletterUnknown,
    SubscriberUnknown,
    Suppressed,
)
from subscribers.event import Event, EventType
from subscribers.model import Agreement, Newsletter, Status
from subscribers.record import record
from subscribers.signup import queries as signups
from subscribers.signup.model import Limits, Waiting, next_mail

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

#: So long the link of a confirmation works.
CONFIRMS_FOR = timedelta(days=30)
#: So long it counts how often a network or an address asked.
KEPT = timedelta(days=30)
_TRIES = 5


class Confirmed(StrEnum):
    """What came of a confirmation."""

    #: Subscribed from now on.
    NOW = "now"
    #: Was so before.
    BEFORE = "before"
    #: Asked whether to go on, somebody says yes.
    STAYS = "stays"
    #: The link is old, or the person has left since.
    TOO_LATE = "too late"


def apply_signups(database: Database, post: Post, *, limits: Limits, now: datetime) -> int:
    """Look at all requests that wait, one a transaction; gives how many.

    Several may do so at once. Raises DatabaseUnavailable, DatabaseBusy or DatabaseFull, with the
    rest still waiting.
    """
    done = 0
    while _apply_next(database, post, limits=limits, now=now):
        done += 1
    return done


def _apply_next(database: Database, post: Post, *, limits: Limits, now: datetime) -> bool:
    for left in reversed(range(_TRIES)):
        try:
            with database.write() as session:
                waiting = signups.next_waiting(session)
                if waiting is None:
                    return False
                result, mail_at = _apply(session, waiting, post, limits=limits, now=now)
                signups.close(session, waiting.id, result=result, mail_at=mail_at, now=now)
                return True
        except DatabaseBusy:
            if not left:
                raise
    return False


def _apply(
    session: Session, waiting: Waiting, post: Post, *, limits: Limits, now: datetime
) -> tuple[str, datetime | None]:
    """What came of a request, in words, and when the question leaves that it led to."""
    try:
        newsletter = people.newsletter(session, waiting.newsletter_id)
        person, effect = _subscribe(session, waiting, newsletter, post, now=now)
    except Suppressed:
        return "ignored: suppressed", None
    except NewsletterUnknown:
        return "ignored: the newsletter is gone", None
    status = signups.status_of(session, newsletter.id, person)
    if status is Status.PENDING:
        return _ask_back(session, waiting, newsletter, post, limits=limits, now=now)
    if status is Status.ACTIVE and not effect.startswith("ignored"):
        _send(session, Notice.WELCOME, newsletter, waiting, post, now=now)
    return effect, None


def _subscribe(
    session: Session, waiting: Waiting, newsletter: Newsletter, post: Post, *, now: datetime
) -> tuple[int, str]:
    parsed = address.parse(waiting.address)
    try:
        # Anybody may type anybody's address: what the person has set stays as it is.
        people.find(session, parsed)
        language = None
    except SubscriberUnknown:
        language = waiting.language
    person, recorded = people.add(
        session,
        parsed,
        newsletter,
        keyring=post.keyring,
        now=now,
        language=language,
        confirmed=False,
        source="web",
        agreement=Agreement(form=waiting.form, words=waiting.words, network=waiting.network),
    )
    return person, recorded.effect


def _ask_back(
    session: Session,
    waiting: Waiting,
    newsletter: Newsletter,
    post: Post,
    *,
    limits: Limits,
    now: datetime,
) -> tuple[str, datetime | None]:
    address_hash = post.keyring.address_hash(address.parse(waiting.address).key)
    if signups.asked_lately(session, address_hash, newsletter.id, since=now - limits.every):
        return "ignored: asked to confirm a moment ago", None
    mail_at = next_mail(signups.mails(session, address_hash, now=now), now=now, limits=limits)
    if mail_at is None:
        return "ignored: asked to confirm too often today", None
    _send(session, Notice.CONFIRM, newsletter, waiting, post, now=now, due_at=mail_at)
    return "asked to confirm", mail_at


def _send(
    session: Session,
    notice: Notice,
    newsletter: Newsletter,
    waiting: Waiting,
    post: Post,
    *,
    now: datetime,
    due_at: datetime | None = None,
) -> None:
    person = people.find(session, address.parse(waiting.address))
    send(session, notice, newsletter, person, post=post, now=now, due_at=due_at)


def confirm(session: Session, copy: Copy, post: Post, *, network: str, now: datetime) -> Confirmed:
    """Take a confirmation by the link of a notice; a second time changes nothing.

    One link confirms once: an old mail never brings back somebody who has left.
    """
    status = queries.hold_status(session, copy, copy.newsletter_id)
    if status is Status.ACTIVE:
        to_stay = asks_to_stay(session, copy, now=now)
        return _stay(session, copy, network=network, now=now) if to_stay else Confirmed.BEFORE
    if status is not Status.PENDING or is_old(session, copy, now=now):
        return Confirmed.TOO_LATE
    event = Event(
        type=EventType.CONFIRMED,
        at=now,
        source="web",
        source_id=f"confirmed:{copy.delivery_id}",
        newsletter_id=copy.newsletter_id,
        subscriber_id=copy.subscriber_id,
        delivery_id=copy.delivery_id,
        evidence={"form": "/c", "network": network},
    )
    if not record(session, event, now=now).applied:
        return Confirmed.TOO_LATE
    newsletter = people.newsletter(session, copy.newsletter_id)
    person = people.find(session, address.parse(copy.address or ""))
    send(session, Notice.WELCOME, newsletter, person, post=post, now=now)
    return Confirmed.NOW


def asks_to_stay(session: Session, copy: Copy, *, now: datetime) -> bool:
    """Whether a link asks somebody who gets a newsletter whether to go on, and is not too old."""
    asks = notices.is_of(session, Notice.STAY, copy.campaign_id)
    return asks and not is_old(session, copy, now=now)


def _stay(session: Session, copy: Copy, *, network: str, now: datetime) -> Confirmed:
    """Take down that somebody wants to go on: as agreed to anew, and as a look at a message."""
    said = {"form": "/c", "words": "stay", "network": network}
    for kind, evidence in ((EventType.CONFIRMED, said), (EventType.CLICKED, {})):
        event = Event(
            type=kind,
            at=now,
            source="web",
            source_id=f"stays:{kind}:{copy.delivery_id}",
            newsletter_id=copy.newsletter_id,
            subscriber_id=copy.subscriber_id,
            delivery_id=copy.delivery_id,
            evidence=evidence,
        )
        record(session, event, now=now)
    return Confirmed.STAYS


def is_old(session: Session, copy: Copy, *, now: datetime) -> bool:
    """Whether a link that was to be followed soon is no notice's, or from too long ago."""
    sent_at = notices.made_at(session, copy.campaign_id)
    return copy.kind is not CampaignKind.NOTICE or sent_at is None or sent_at < now - CONFIRMS_FOR
