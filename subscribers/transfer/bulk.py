"""Many rows into a table at once, as fast as the driver can: COPY, or one prepared INSERT.

Here the two databases differ; nobody else needs to know.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    FromClause,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    column,
    func,
    select,
    text,
    true,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from subscribers.database import upsert

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


def insert_new(
    session: Session,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    *,
    key: Sequence[Column[object]],
) -> set[Row]:
    """Insert the rows, which all name the same columns, whose key is new; gives those keys.

    A thousand rows cost PostgreSQL one short statement: each column is one array.
    """
    if not rows:
        return set()
    new = upsert(session, table)
    if session.get_bind().dialect.name == "sqlite":
        statement = new.on_conflict_do_nothing(index_elements=[*key])
        inserted = session.execute(statement.returning(*key), rows)
    else:
        told = _told([table.c[name] for name in rows[0]], rows)
        statement = new.from_select([*rows[0]], select(*told.c))
        statement = statement.on_conflict_do_nothing(index_elements=[*key])
        inserted = session.execute(statement.returning(*key))
    return {tuple(row) for row in inserted}


def update_rows(
    session: Session,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    *,
    key: Sequence[Column[object]],
    only: ColumnElement[bool] | None = None,
) -> None:
    """Set in the rows of these keys all else that each names; `only` those it holds for."""
    if not rows:
        return
    names = [column.name for column in key]
    values = [name for name in rows[0] if name not in names]
    condition = true() if only is None else only
    if session.get_bind().dialect.name == "sqlite":
        # Renamed: the name of a column is taken for what it is set to.
        these = [column == bindparam(f"of_{column.name}") for column in key]
        session.execute(
            update(table)
            .where(and_(*these, condition))
            .values({name: bindparam(name) for name in values}),
            [{f"of_{n}" if n in names else n: value for n, value in row.items()} for row in rows],
        )
        return
    told = _told([table.c[name] for name in rows[0]], rows)
    these = [column == told.c[column.name] for column in key]
    session.execute(
        update(table).where(and_(*these, condition)).values({name: told.c[name] for name in values})
    )


def _told(columns: Sequence[Column[object]], rows: Sequence[Mapping[str, object]]) -> FromClause:
    """Rows as a table of PostgreSQL's, each column bound as one array."""
    arrays = [
        bindparam(
            None,
            [row[one.name] for row in rows],
            type_=ARRAY(one.type, dimensions=1),
            unique=True,
        )
        for one in columns
    ]
    told = func.unnest(*arrays).table_valued(*(column(one.name, one.type) for one in columns))
    return told.render_derived(name="told")


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
