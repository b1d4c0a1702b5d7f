"""Reads and writes of saved segments, and counts of the people in one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.orm import Session

from subscribers.address import Address
from subscribers.attribute.queries import definitions
from subscribers.audience import mailable
from subscribers.database import upsert
from subscribers.errors import SegmentInvalid, SegmentUnknown
from subscribers.model import Subscriber
from subscribers.privacy.mask import without
from subscribers.queries import subscriber_columns, subscriber_of
from subscribers.segment.compile import condition
from subscribers.segment.model import Both, Either, Expression, Not, in_words
from subscribers.segment.parse import parse
from subscribers.tables import newsletters, segments, subscribers, subscriptions

_NAME = re.compile(r"[^\W\d_][\w-]{0,63}\Z")


@dataclass(frozen=True, kw_only=True)
class SavedSegment:
    """A segment under a name, in the words it was written in."""

    name: str
    expression: str
    created_at: datetime


def saved(session: Session) -> list[SavedSegment]:
    """All saved segments, by name."""
    rows = session.execute(select(segments).order_by(segments.c.name))
    return [SavedSegment(**row) for row in rows.mappings()]


def read(session: Session, words: str) -> Expression:
    """A saved segment by its name, or an expression; raises SegmentInvalid."""
    known = {one.name: one.expression for one in saved(session)}
    attributes = definitions(session)
    name = words.strip()
    if name in known:
        return _parsed(session, known[name], known)
    if _NAME.match(name) and name not in attributes:
        close = difflib.get_close_matches(name, known, n=1)
        try:
            return _parsed(session, words, known)
        except SegmentInvalid as exc:
            meant = f"did you mean {close[0]}?" if close else "`mailer segment list` shows those"
            raise SegmentUnknown(f"no segment is named {name!r}; {meant}") from exc
    return _parsed(session, words, known)


def frozen(session: Session, words: str) -> Expression:
    """What `combined` wrote, read again: it names no saved segment; raises SegmentInvalid."""
    return _parsed(session, words, {})


def _parsed(session: Session, words: str, known: Mapping[str, str]) -> Expression:
    slugs = session.execute(select(newsletters.c.slug)).scalars()
    return parse(words, attributes=definitions(session), saved=known, newsletters=[*slugs])


def combined(session: Session, wanted: Sequence[str], excluded: Sequence[str]) -> str | None:
    """People in any of some segments and in none of others, in words that stand by themselves.

    None where nothing is asked: everybody. What is saved may change later; this does not.
    """
    parts: list[Expression] = [Not(part=read(session, words)) for words in excluded]
    if wanted:
        union = [read(session, words) for words in wanted]
        parts.insert(0, union[0] if len(union) == 1 else Either(parts=tuple(union)))
    if not parts:
        return None
    return in_words(parts[0] if len(parts) == 1 else Both(parts=tuple(parts)))


def save(session: Session, name: str, words: str, *, now: datetime) -> None:
    """Keep a segment under a name, anew where there is one; raises SegmentInvalid."""
    if not _NAME.match(name):
        raise SegmentInvalid(
            f"{name!r:.80} can't be a segment's name; write letters, digits, - and _"
        )
    others = {one.name: one.expression for one in saved(session)} | {name: words}
    _parsed(session, words, others)
    statement = upsert(session, segments).values(name=name, expression=words, created_at=now)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[segments.c.name], set_={"expression": words}
        )
    )


def remove(session: Session, name: str) -> None:
    """Forget a saved segment; raises SegmentUnknown, SegmentInvalid where others name it."""
    known = {one.name: one.expression for one in saved(session)}
    if name not in known:
        raise SegmentUnknown(
            f"no segment is named {name!r}; `mailer segment list` shows those there are"
        )
    users = [
        other
        for other, words in known.items()
        if other != name and re.search(rf"\bsegment\s*:\s*[\"']?{re.escape(name)}(?![\w-])", words)
    ]
    if users:
        raise SegmentInvalid(f"segment {name!r} is part of {', '.join(users)}; remove those first")
    session.execute(delete(segments).where(segments.c.name == name))


def forget_address(session: Session, address: Address) -> None:
    """Take an address out of the words of saved segments."""
    for one in saved(session):
        words = without(one.expression, address)
        if words != one.expression:
            session.execute(
                update(segments).where(segments.c.name == one.name).values(expression=words)
            )


def count(
    session: Session,
    newsletter_id: int,
    expression: Expression,
    *,
    now: datetime,
    also: Sequence[ColumnElement[bool]] = (),
) -> int:
    """How many of those who may receive a newsletter are in a segment; `also`: and of whom all
    this is true.
    """
    return session.execute(
        select(func.count())
        .select_from(subscribers.join(subscriptions))
        .where(
            mailable(newsletter_id, at_once=True),
            condition(session, expression, now=now, at_once=True),
            *also,
        )
    ).scalar_one()


def count_words(session: Session, newsletter_id: int, words: str, *, now: datetime) -> int:
    """The same for a segment's name or words; raises SegmentInvalid."""
    return count(session, newsletter_id, read(session, words), now=now)


def by_timezone(
    session: Session, newsletter_id: int, words: str | None, *, now: datetime
) -> dict[str | None, int]:
    """How many of those who may receive a newsletter, and are in a segment, have which time zone.

    `words` None: all of them; the zone None: not known. Raises SegmentInvalid.
    """
    asked = None if words is None else read(session, words)
    inside = true() if asked is None else condition(session, asked, now=now, at_once=True)
    rows = session.execute(
        select(subscribers.c.timezone, func.count().label("people"))
        .select_from(subscribers.join(subscriptions))
        .where(mailable(newsletter_id, at_once=True), inside)
        .group_by(subscribers.c.timezone)
    )
    return {row.timezone: row.people for row in rows}


def people(
    session: Session,
    newsletter_id: int,
    expression: Expression,
    *,
    now: datetime,
    limit: int,
    also: Sequence[ColumnElement[bool]] = (),
) -> list[Subscriber]:
    """Some of those who may receive a newsletter and are in a segment, oldest first; `also` as
    above.
    """
    rows = session.execute(
        select(*subscriber_columns())
        .select_from(subscribers.join(subscriptions))
        .where(mailable(newsletter_id), condition(session, expression, now=now), *also)
        .order_by(subscribers.c.id)
        .limit(limit)
    )
    return [subscriber_of(row) for row in rows.mappings()]
