"""Reads and writes of what attributes there are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from subscribers.attribute.model import Definition, Kind, check_name, definition_of
from subscribers.database import upsert
from subscribers.errors import AttributeInvalid
from subscribers.tables import attribute_definitions, subscribers


def definitions(session: Session) -> dict[str, Definition]:
    """All attributes by name, in the order of names."""
    rows = session.execute(
        select(attribute_definitions.c.name, attribute_definitions.c.kind).order_by(
            attribute_definitions.c.name
        )
    )
    return {row.name: Definition(name=row.name, kind=Kind(row.kind)) for row in rows}


def declare(session: Session, wanted: Iterable[Definition], *, now: datetime) -> None:
    """Let people have these attributes; harmless where they may already.

    Raises AttributeInvalid for a name that can't be one, or is one of another kind.
    """
    known = definitions(session)
    for one in wanted:
        before = known.get(check_name(one.name))
        if before is not None and before.kind is not one.kind:
            raise AttributeInvalid(
                f"{one.name} holds {before.kind} already; choose another name, or"
                f" `mailer subscribers attributes remove {one.name}` first"
            )
        statement = upsert(session, attribute_definitions).on_conflict_do_nothing()
        session.execute(statement.values(name=one.name, kind=one.kind, created_at=now))


def withdraw(session: Session, name: str) -> None:
    """Take an attribute nobody has any more off the list; raises AttributeInvalid where it is
    in use, AttributeUnknown where there is none.
    """
    definition_of(name, definitions(session))
    users = holders(session, name)
    if users:
        raise AttributeInvalid(
            f"{users:,} people have {name}; `mailer subscribers attributes remove {name} --values`"
            " takes it from them first"
        )
    session.execute(delete(attribute_definitions).where(attribute_definitions.c.name == name))


def holders(session: Session, name: str) -> int:
    """How many people have a value of this attribute."""
    return session.execute(
        select(func.count())
        .select_from(subscribers)
        .where(subscribers.c.attributes[name].as_string().is_not(None))
    ).scalar_one()


def strip(session: Session, name: str, *, at_most: int = 1000) -> int:
    """Take an attribute's values from some of those who have one; gives how many had it."""
    rows = session.execute(
        select(subscribers.c.id, subscribers.c.attributes)
        .where(subscribers.c.attributes[name].as_string().is_not(None))
        .limit(at_most)
        .with_for_update(key_share=True)
    ).all()
    for row in rows:
        kept = {key: value for key, value in row.attributes.items() if key != name}
        session.execute(
            subscribers.update().where(subscribers.c.id == row.id).values(attributes=kept)
        )
    return len(rows)
