"""Who may receive, as SQL that snapshots and gates join, and why somebody may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from subscribers.model import Stats, Status
from subscribers.tables import subscribers, subscriptions, suppressions


class Exclusion(StrEnum):
    """Why a person may not be mailed."""

    #: Asked for no more, or never asked.
    UNSUBSCRIBED = "unsubscribed"
    #: The address, or its whole domain, must never be mailed.
    SUPPRESSED = "suppressed"
    #: There is no address any more.
    ERASED = "erased"
    #: The address does not take mail.
    BOUNCED = "bounced"
    #: Called an issue spam.
    COMPLAINED = "complained"
    #: Has not confirmed yet.
    NOT_CONFIRMED = "not-confirmed"
    #: Wants no issues for a while.
    PAUSED = "paused"


@dataclass(frozen=True, kw_only=True)
class AudienceCount:
    """How many would receive, and how many would not, by reason."""

    size: int
    excluded: Mapping[Exclusion, int]


def mailable(
    newsletter_id: int | ColumnElement[int],
    *,
    at_once: bool = False,
    at: datetime | None = None,
    person: FromClause = subscribers,
    place: FromClause = subscriptions,
) -> ColumnElement[bool]:
    """The condition, over `subscribers` joined with their `subscriptions`, to be mailed.

    `at_once`: it is asked of everybody in one statement, not of a few. `at`: whose pause is over
    then; None: by the database's own clock, which goes on between two statements. `person` and
    `place` are the two tables under other names.
    """
    suppressed = _all_suppressed if at_once else _suppressed
    return and_(
        place.c.newsletter_id == newsletter_id,
        place.c.status == Status.ACTIVE,
        ~_paused(at, place),
        person.c.address.is_not(None),
        ~suppressed(newsletter_id, person),
    )


def why_not(
    *,
    newsletter_id: int | ColumnElement[int],
    subscriber_id: int | ColumnElement[int],
    notice: ColumnElement[bool] | None = None,
) -> ColumnElement[str | None]:
    """Why this person may not be mailed, a value of Exclusion; null where they may.

    It stands for itself (a subquery on the person), so that any statement can ask it. Where
    `notice` holds, it asks about mail of the service's own: that goes to those who have not
    confirmed yet, and to those who have just left, too.
    """
    reason = _reason(newsletter_id)
    if notice is not None:
        reason = case((notice, _forbidden(newsletter_id)), else_=reason)
    found = (
        select(reason)
        .select_from(subscribers.outerjoin(subscriptions, _place(newsletter_id)))
        .where(subscribers.c.id == subscriber_id)
        .correlate_except(subscribers, subscriptions, suppressions)
        .scalar_subquery()
    )
    # Nobody of this id: no row, which must not read as "may be mailed".
    return func.nullif(func.coalesce(found, Exclusion.ERASED.value), "")


def count(
    session: Session, newsletter_id: int, *, only: Sequence[ColumnElement[bool]] = ()
) -> AudienceCount:
    """Count who would receive now, and who not by reason; `only` those of whom all this is true."""
    reason = _reason(newsletter_id).label("reason")
    rows = session.execute(
        select(reason, func.count().label("people"))
        .select_from(subscriptions.join(subscribers))
        .where(subscriptions.c.newsletter_id == newsletter_id, *only)
        .group_by(reason)
    )
    found = {row.reason: row.people for row in rows}
    return AudienceCount(
        size=found.get("", 0),
        excluded={one: found[one.value] for one in Exclusion if one.value in found},
    )


def stats(session: Session, newsletter_id: int, *, domains: int = 10) -> Stats:
    """Count a newsletter's people by status, and the active ones' biggest domains."""
    place = subscriptions.c.newsletter_id == newsletter_id
    by_status = session.execute(
        select(subscriptions.c.status, func.count().label("people"))
        .where(place)
        .group_by(subscriptions.c.status)
    )
    found = {row.status: row.people for row in by_status}
    people = func.count().label("people")
    top = session.execute(
        select(subscribers.c.domain, people)
        .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
        .where(place, subscriptions.c.status == Status.ACTIVE, subscribers.c.domain.is_not(None))
        .group_by(subscribers.c.domain)
        .order_by(people.desc(), subscribers.c.domain)
        .limit(domains)
    )
    suppressed = session.execute(
        select(func.count())
        .select_from(suppressions)
        .where(suppressions.c.newsletter_id.in_([0, newsletter_id]))
    )
    return Stats(
        people={status: found.get(status, 0) for status in Status},
        domains={row.domain: row.people for row in top},
        suppressed=suppressed.scalar_one(),
    )


def _place(newsletter_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    return and_(
        subscriptions.c.subscriber_id == subscribers.c.id,
        subscriptions.c.newsletter_id == newsletter_id,
    )


def _forbidden(newsletter_id: int | ColumnElement[int]) -> ColumnElement[str]:
    """The first reason against any mail at all; empty for none."""
    return case(
        (subscribers.c.address.is_(None), Exclusion.ERASED.value),
        (subscriptions.c.status == Status.COMPLAINED, Exclusion.COMPLAINED.value),
        (_suppressed(newsletter_id), Exclusion.SUPPRESSED.value),
        else_="",
    )


def _reason(newsletter_id: int | ColumnElement[int]) -> ColumnElement[str]:
    """The first reason that holds, the weightiest first; empty for none."""
    status = subscriptions.c.status
    return case(
        (subscribers.c.address.is_(None), Exclusion.ERASED.value),
        (status == Status.COMPLAINED, Exclusion.COMPLAINED.value),
        (or_(status.is_(None), status == Status.UNSUBSCRIBED), Exclusion.UNSUBSCRIBED.value),
        (status == Status.BOUNCED, Exclusion.BOUNCED.value),
        (_suppressed(newsletter_id), Exclusion.SUPPRESSED.value),
        (status == Status.PENDING, Exclusion.NOT_CONFIRMED.value),
        (_paused(), Exclusion.PAUSED.value),
        (status == Status.ACTIVE, ""),
        # A status from a later version: when in doubt, no mail.
        else_=Exclusion.SUPPRESSED.value,
    )


def _paused(at: datetime | None = None, place: FromClause = subscriptions) -> ColumnElement[bool]:
    # Else the database's own clock: whoever asks is a statement, and has no other.
    until = place.c.paused_until
    return and_(until.is_not(None), until > (func.current_timestamp() if at is None else at))


def _suppressed(
    newsletter_id: int | ColumnElement[int], person: FromClause = subscribers
) -> ColumnElement[bool]:
    # Two conditions of one equality each: PostgreSQL hashes them for a big audience and
    # looks them up for a small one; an IN over both columns it could only look up.
    return or_(
        *(
            exists()
            .where(
                suppressions.c.value_hash == value_hash,
                or_(
                    suppressions.c.newsletter_id == 0,
                    suppressions.c.newsletter_id == newsletter_id,
                ),
            )
            # The newsletter may be told by a table further out than the person.
            .correlate_except(suppressions)
            for value_hash in (person.c.address_hash, person.c.domain_hash)
        )
    )


def _all_suppressed(
    newsletter_id: int | ColumnElement[int], person: FromClause = subscribers
) -> ColumnElement[bool]:
    # All that is suppressed is read once and put aside, by SQLite too; for a few people that
    # would be far more than to look them up.
    noted = select(suppressions.c.value_hash).where(
        or_(suppressions.c.newsletter_id == 0, suppressions.c.newsletter_id == newsletter_id)
    )
    return or_(person.c.address_hash.in_(noted), person.c.domain_hash.in_(noted))
