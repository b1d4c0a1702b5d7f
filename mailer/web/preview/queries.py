"""People to show an issue to; only reads."""

from __future__ import annotations

from sqlalchemy import or_
from sqlalchemy.orm import Session

from subscribers import queries as people
from subscribers.model import Member
from subscribers.tables import subscribers


def search(session: Session, newsletter_id: int, words: str, *, limit: int) -> list[Member]:
    """People of a newsletter whose address or name holds these words, oldest first."""
    holds = or_(
        subscribers.c.address.icontains(words, autoescape=True),
        subscribers.c.name.icontains(words, autoescape=True),
    )
    return people.members_where(session, newsletter_id, holds, limit=limit)


def member(session: Session, newsletter_id: int, subscriber_id: int) -> Member | None:
    """One person of a newsletter; None where there is no such person, or no address any more."""
    is_this = subscribers.c.id == subscriber_id
    found = people.members_where(session, newsletter_id, is_this, limit=1)
    return found[0] if found else None
