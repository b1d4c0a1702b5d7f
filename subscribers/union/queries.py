"""By which of several newsletters a person is mailed, and how many that are by each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, false, func, or_, select, true
from sqlalchemy.orm import Session

from subscribers import audience
from subscribers.audience import Exclusion
from subscribers.segment.compile import condition
from subscribers.segment.queries import read
from subscribers.tables import subscribers, subscriptions, suppressions


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many people of one time zone get an issue by one of its newsletters."""

    newsletter_id: int
    timezone: str | None
    people: int


def first_consent(
    newsletter_ids: Sequence[int],
    subscriber_id: ColumnElement[int],
    *,
    at: datetime | None = None,
) -> ColumnElement[int]:
    """The first of some newsletters for which a person may be mailed; null where there is none.

    It stands for itself (a subquery on the person), so that any statement can ask it. `at`: as
    in `audience.mailable`.
    """
    person, place = subscribers.alias("whose"), subscriptions.alias("consent")
    found: ColumnElement[int] = (
        select(place.c.newsletter_id)
        .select_from(place.join(person, person.c.id == place.c.subscriber_id))
        .where(
            place.c.subscriber_id == subscriber_id,
            place.c.newsletter_id.in_(newsletter_ids),
            audience.mailable(place.c.newsletter_id, at=at, person=person, place=place),
        )
        .order_by(_rank(newsletter_ids, place.c.newsletter_id))
        .limit(1)
        .correlate_except(person, place, suppressions)
        .scalar_subquery()
    )
    return found


def shares(
    session: Session, newsletter_ids: Sequence[int], words: str | None, *, now: datetime
) -> list[Share]:
    """How many people would get an issue, each counted once, where their consent is.

    `words`: only those in this segment; what it asks of a subscription is asked of the one by
    which they get it. Raises SegmentInvalid.
    """
    inside = true() if words is None else condition(session, read(session, words), now=now)
    found: list[Share] = []
    for number, newsletter_id in enumerate(newsletter_ids):
        rows = session.execute(
            select(subscribers.c.timezone, func.count().label("people"))
            .select_from(subscribers.join(subscriptions))
            .where(
                audience.mailable(newsletter_id, at_once=True),
                ~_any_may_mail(newsletter_ids[:number]),
                inside,
            )
            .group_by(subscribers.c.timezone)
        )
        found += [Share(newsletter_id=newsletter_id, **row) for row in rows.mappings()]
    return found


def excluded(session: Session, newsletter_ids: Sequence[int]) -> Mapping[Exclusion, int]:
    """How many readers of some newsletters may be mailed for none of them, by reason.

    Of several reasons it is that of the first newsletter they have to do with.
    """
    found: Counter[Exclusion] = Counter()
    for number, newsletter_id in enumerate(newsletter_ids):
        counted = subscriptions.alias("counted")
        before = exists().where(
            counted.c.subscriber_id == subscribers.c.id,
            counted.c.newsletter_id.in_(newsletter_ids[:number]),
        )
        # By itself, too: most may be mailed by the very one, and need no second look.
        nobody = [~audience.mailable(newsletter_id, at_once=True), ~_any_may_mail(newsletter_ids)]
        found.update(audience.count(session, newsletter_id, only=[*nobody, ~before]).excluded)
    return found


def _any_may_mail(newsletter_ids: Sequence[int]) -> ColumnElement[bool]:
    """Whether one of these may mail a person: asked of everybody, with what is suppressed aside."""
    place = subscriptions.alias("other")
    may = [audience.mailable(one, at_once=True, place=place) for one in newsletter_ids]
    return exists().where(place.c.subscriber_id == subscribers.c.id, or_(false(), *may))


def _rank(newsletter_ids: Sequence[int], which: ColumnElement[int]) -> ColumnElement[int]:
    return case(
        *((which == one, number) for number, one in enumerate(newsletter_ids)),
        else_=len(newsletter_ids),
    )
