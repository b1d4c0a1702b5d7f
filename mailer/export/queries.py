"""Rows out of every table as JSON, and back into a database of the same schema."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    inspect,
    select,
)
from sqlalchemy.orm import Session

from mailer.backup.queries import AT_ONCE
from mailer.export.manifest import ExportInvalid, TableFile
from subscribers.database import Moment
from subscribers.transfer.bulk import Row, insert_rows, moment_text

#: What a column holds, in the words of docs/export.md; the first type that fits.
_KINDS: tuple[tuple[type, str], ...] = (
    (Moment, "moment"),
    (DateTime, "moment"),
    (Date, "date"),
    (LargeBinary, "base64"),
    (JSON, "json"),
    (Boolean, "boolean"),
    (Integer, "integer"),
    (Float, "number"),
)
_WRITE: dict[str, Callable[[object], object]] = {
    "moment": lambda value: value.isoformat() if isinstance(value, datetime) else value,
    "date": lambda value: value.isoformat() if isinstance(value, date) else value,
    "base64": lambda value: base64.b64encode(bytes(value)).decode(),  # type: ignore[call-overload]
}
_READ: dict[str, Callable[[Session, object], object]] = {
    "moment": lambda session, value: moment_text(session, datetime.fromisoformat(str(value))),
    "date": lambda _session, value: date.fromisoformat(str(value)).isoformat(),
    "base64": lambda _session, value: base64.b64decode(str(value), validate=True),
    "json": lambda _session, value: json.dumps(value),
}


def kinds(table: Table) -> dict[str, str]:
    """What each column of a table holds."""
    return {column.name: _kind(column) for column in table.columns}


def _kind(column: Column[object]) -> str:
    return next((kind for of, kind in _KINDS if isinstance(column.type, of)), "text")


def rows(session: Session, table: Table) -> Iterator[str]:
    """A table's rows as JSON, in the order of their keys; memory stays flat."""
    writers = [_WRITE.get(kind) for kind in kinds(table).values()]
    names = [*kinds(table)]
    ordered = select(table).order_by(*table.primary_key.columns)
    for row in session.execute(ordered.execution_options(yield_per=AT_ONCE)):
        values = (
            value if value is None or writer is None else writer(value)
            for value, writer in zip(row, writers, strict=True)
        )
        yield json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False)


def tables(session: Session) -> dict[str, Table]:
    """The tables that a database has, whichever version made it."""
    known = MetaData()
    known.reflect(session.connection())
    return {table.name: table for table in known.sorted_tables}


def take(session: Session, table: Table, told: TableFile, lines: Iterable[bytes]) -> int:
    """Insert a table's lines; gives how many. Raises ExportInvalid where one does not fit."""
    there = {column["name"] for column in inspect(session.connection()).get_columns(table.name)}
    if {*told.columns} != there:
        raise ExportInvalid(f"{told.file}: these are not the columns of that version")
    readers = {name: _READ.get(kind) for name, kind in told.columns.items()}
    count = 0
    some: list[Row] = []
    for line in lines:
        count += 1
        try:
            value = json.loads(line)
            some.append(
                tuple(
                    value[name]
                    if value[name] is None or reader is None
                    else reader(session, value[name])
                    for name, reader in readers.items()
                )
            )
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise ExportInvalid(f"{told.file}:{count}: no row of {told.name}") from exc
        if len(some) >= AT_ONCE:
            insert_rows(session, table, [*told.columns], some)
            some = []
    insert_rows(session, table, [*told.columns], some)
    return count
