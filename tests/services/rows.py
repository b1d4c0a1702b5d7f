"""Rows for every table of a schema, whichever it is: made from what the database says of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_START = datetime(2026, 1, 1, tzinfo=UTC)
#: Columns whose values some statement of a migration, or a reader, takes by its word.
_WORDS = {"campaigns.state": "finished", "campaigns.kind": "issue", "deliveries.state": "sent"}


def fill(connection: Connection, *, rows: int = 3) -> dict[str, list[dict[str, object]]]:
    """Put so many rows into each table; gives what stands in them then, by table."""
    tables = reflected(connection)
    for table in tables:
        for number in range(1, rows + 1):
            connection.execute(sa.insert(table), _row(connection, table, number))
    return {table.name: standing(connection, table) for table in tables}


def reflected(connection: Connection) -> list[sa.Table]:
    """The tables that are there, those first that others refer to; without Alembic's own."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def standing(connection: Connection, table: sa.Table) -> list[dict[str, object]]:
    """The rows of a table, in one order."""
    rows = connection.execute(sa.select(table)).mappings()
    return sorted((dict(row) for row in rows), key=str)


def _row(connection: Connection, table: sa.Table, number: int) -> dict[str, object]:
    return {
        column.name: _value(connection, table, column, number)
        for column in table.columns
        # Every third value that may be absent is.
        if not (column.nullable and number % 3 == 0)
    }


def _value(connection: Connection, table: sa.Table, column: sa.Column, number: int) -> object:  # type: ignore[type-arg]
    kind = column.type
    word = _WORDS.get(f"{table.name}.{column.name}")
    if word is not None:
        return word
    if isinstance(kind, sa.Boolean):
        return number % 2 == 0
    if isinstance(kind, sa.Float):
        return number + 0.5
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.LargeBinary):
        return bytes([number]) * 16
    if isinstance(kind, sa.JSON):
        return {"n": number, "text": "ä"}
    if isinstance(kind, sa.DateTime):
        moment = _START + timedelta(days=number)
        return moment.replace(tzinfo=None) if connection.dialect.name == "sqlite" else moment
    if isinstance(kind, sa.Date):
        return date(2026, 1, number)
    return f"{column.name}-{number}"[: getattr(kind, "length", None) or 60]
