"""Who reads a newsletter, one after the other, and the longest values they have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from subscribers.audience import mailable
from subscribers.model import Subscriber
from subscribers.queries import subscriber_columns, subscriber_of
from subscribers.tables import subscribers, subscriptions

_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Longest:
    """The longest name, address and values of attributes that any reader has."""

    name: str
    email: str
    language: str
    attributes: Mapping[str, str]


def recipients(session: Session, newsletter_id: int) -> Iterator[Subscriber]:
    """Those who would receive an issue now, by id, in pages, so that memory stays flat."""
    after = 0
    while True:
        rows = session.execute(
            select(*subscriber_columns())
            .select_from(subscribers.join(subscriptions))
            .where(mailable(newsletter_id), subscribers.c.id > after)
            .order_by(subscribers.c.id)
            .limit(_PAGE)
        )
        page = [subscriber_of(row) for row in rows.mappings()]
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def longest(session: Session, newsletter_id: int, attributes: Iterable[str]) -> Longest:
    """The longest values that those who would receive an issue now have."""

    def of(value: ColumnElement[str]) -> str:
        found = session.execute(
            select(value)
            .select_from(subscribers.join(subscriptions))
            .where(mailable(newsletter_id), value.is_not(None))
            .order_by(func.length(value).desc(), subscribers.c.id)
            .limit(1)
        ).scalar_one_or_none()
        return found or ""

    return Longest(
        name=of(subscribers.c.name),
        email=of(subscribers.c.address),
        language=of(subscribers.c.language),
        attributes={name: of(subscribers.c.attributes[name].as_string()) for name in attributes},
    )
