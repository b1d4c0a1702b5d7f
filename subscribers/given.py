"""Values that a statement is given as one parameter, however many there are.

With a parameter for each value the statement's text is another one for each number of them, and
rows as VALUES are compiled anew each time: both cost more than all that the database then does
with a batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Boolean, String, bindparam, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Dialect, Subquery
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.operators import OperatorType

    from subscribers.prepared import Prepared


class _Ids(TypeDecorator[Sequence[int]]):
    """Numbers, as JSON or in the words of a PostgreSQL array."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Sequence[int] | None, dialect: Dialect) -> str:
        numbers = ",".join(map(str, map(int, value or ())))
        return f"[{numbers}]" if dialect.name == "sqlite" else f"{{{numbers}}}"


class _Rows(TypeDecorator[Sequence[Mapping[str, object]]]):
    """Rows as JSON, with their moments in ISO 8601."""

    impl = String
    cache_ok = True

    def process_bind_param(
        self, value: Sequence[Mapping[str, object]] | None, dialect: Dialect
    ) -> str:
        return json.dumps(value or (), default=_zoned)


class _Among(FunctionElement[bool]):
    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        # SQLAlchemy would write `… = 1` for SQLite, which then looks at every row there is.
        return self


@compiles(_Among, "sqlite")
def _in_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608


@compiles(_Among, "postgresql")
def _in_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY (CAST({ids} AS BIGINT[]))"


def among(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """Whether a column is one of the ids in the parameter `name`."""
    return _Among(column, bindparam(name, type_=_Ids()))


def given_rows(dialect: Dialect, name: str, columns: Sequence[Column[Any]]) -> Subquery:
    """The rows that `give_rows` is given, as a table of these columns.

    PostgreSQL gets all of them as one parameter, and SQLite, which has nobody to wait for, one
    after the other.
    """
    if dialect.name == "sqlite":
        own = [bindparam(f"{name}_{c.name}", type_=c.type).label(c.name) for c in columns]
        return select(*own).subquery(name)
    told = ", ".join(f"{c.name} {c.type.compile(dialect)}" for c in columns)
    words = f"SELECT * FROM json_to_recordset(CAST(:{name} AS JSON)) AS told({told})"  # noqa: S608
    rows = text(words).bindparams(bindparam(name, type_=_Rows()))
    return rows.columns(**{c.name: c.type for c in columns}).subquery(name)


def give_rows(
    session: Session,
    statement: Prepared,
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    **same: object,
) -> None:
    """Run a statement that asks for `given_rows`, whose values stand in the order of `columns`.

    `same` are its other parameters.
    """
    if session.get_bind().dialect.name == "sqlite":
        statement.run_each(session, [f"{name}_{column}" for column in columns], rows, **same)
    else:
        told = [dict(zip(columns, row, strict=True)) for row in rows]
        statement.run(session, **{name: told}, **same)


def _zoned(moment: object) -> str:
    assert isinstance(moment, datetime)
    return moment.isoformat()
