"""Many rows into a table at once, as fast as the driver can: COPY, or one prepared INSERT.

Here the two databases differ; nobody else needs to know.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Table,
    Text,
    any_,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Row = tuple[object, ...]


def insert_rows(session: Session, table: Table, columns: Sequence[str], rows: list[Row]) -> None:
    """Insert rows whose values stand in the order of `columns`, as the driver takes them.

    That is: JSON as text, moments by `moment_text`. Raises IntegrityError where a row of the
    same key is there; nothing is inserted then.
    """
    if not rows:
        return
    connection = session.connection()
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        # The names are our own tables' and columns'; the values are bound.
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608
        connection.exec_driver_sql(statement, rows)
        return
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    cursor = connection.connection.cursor()
    errors = connection.dialect.loaded_dbapi
    try:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except errors.Error as exc:
        raise DBAPIError.instance(
            statement, None, exc, errors.Error, dialect=connection.dialect
        ) from exc
    finally:
        cursor.close()


def moment_text(session: Session, moment: datetime) -> str:
    """A point in time as the columns of type Moment take it in text."""
    utc = moment.astimezone(UTC)
    if session.get_bind().dialect.name == "sqlite":
        return utc.replace(tzinfo=None).isoformat(" ", "microseconds")
    return utc.isoformat()


def new_ids(session: Session, table: Table, count: int) -> Sequence[int]:
    """Ids that nobody else gets; on SQLite only within a transaction that writes."""
    if session.get_bind().dialect.name == "sqlite":
        last = session.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        return range(last + 1, last + count + 1)
    taken = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :n)")
    return session.execute(taken, {"name": table.name, "n": count}).scalars().all()


def among(
    session: Session, column: Column[object], values: Collection[object]
) -> ColumnElement[bool]:
    """The condition that a column is one of thousands of values, as one array where that goes."""
    if session.get_bind().dialect.name == "sqlite":
        if not isinstance(column.type, Text):
            return column.in_(values)
        listed = func.json_each(json.dumps([*values])).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(bindparam(None, [*values], type_=ARRAY(column.type), unique=True))
