"""Statements put into a database's words once, for where they are run for every few copies.

To run a statement, SQLAlchemy looks up its compiled form, sorts and converts all parameters and
makes a result, which takes several times as long as SQLite takes to answer. Here only what is
given is converted, and the driver's own cursor runs it, in the session's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, Connection, Dialect
    from sqlalchemy.engine.interfaces import DBAPICursor
    from sqlalchemy.orm import Session

_Convert: TypeAlias = Callable[[Any], object]


@dataclass(frozen=True)
class _Words:
    """A statement as its driver takes it; `fixed` are the parameters that never change."""

    text: str
    order: Sequence[str] | None
    fixed: Mapping[str, object]
    converts: Mapping[str, _Convert]

    def filled(self, given: Mapping[str, object]) -> Any:
        return self._ordered({**self.fixed, **self._converted(given)})

    def filled_each(
        self, names: Sequence[str], rows: Sequence[Sequence[object]], same: Mapping[str, object]
    ) -> list[Any]:
        common = {**self.fixed, **self._converted(same)}
        own = [self._own(names, row) for row in rows]
        if self.order is None:
            return [{**common, **dict(zip(names, row, strict=True))} for row in own]
        others = [name for name in self.order if name not in names]
        last = [common[name] for name in others]
        if [*others, *names] == [*self.order]:
            return [(*last, *row) for row in own]
        place = {name: number for number, name in enumerate((*others, *names))}
        picked = [place[name] for name in self.order]
        return [tuple([whole[n] for n in picked]) for row in own for whole in [(*last, *row)]]

    def _own(self, names: Sequence[str], row: Sequence[object]) -> Sequence[object]:
        values = [*row]
        for name, convert in self.converts.items():
            if name in names:
                place = names.index(name)
                values[place] = convert(values[place])
        return values

    def _converted(self, given: Mapping[str, object]) -> Mapping[str, object]:
        converts = self.converts
        return {
            # Exact strings: the driver asks around for what to make of any other.
            name: converts[name](value)
            if name in converts
            else str(value)
            if isinstance(value, StrEnum)
            else value
            for name, value in given.items()
        }

    def _ordered(self, values: Mapping[str, object]) -> Any:
        return values if self.order is None else tuple([values[name] for name in self.order])


class Prepared:
    """A statement that a function makes for a dialect.

    Rows come as the driver gives them: ask for numbers, words and nulls alone.
    """

    def __init__(self, make: Callable[[Dialect], ClauseElement]) -> None:
        self._make = make
        self._words: dict[str, _Words] = {}

    def run(self, session: Session, **given: object) -> list[tuple[Any, ...]]:
        """Run it in the session's transaction; every parameter without a value is given."""
        connection = session.connection()
        words = self._words.get(connection.dialect.name) or self._put(connection.dialect)
        filled = words.filled(given)
        with _cursor(connection, words.text) as cursor:
            cursor.execute(words.text, filled)
            return cursor.fetchall() if cursor.description else []  # type: ignore[return-value]

    def run_each(
        self,
        session: Session,
        names: Sequence[str],
        rows: Sequence[Sequence[object]],
        **same: object,
    ) -> None:
        """Run it once for each row of the parameters that are named; all have `same`."""
        connection = session.connection()
        words = self._words.get(connection.dialect.name) or self._put(connection.dialect)
        filled = words.filled_each(names, rows, same)
        with _cursor(connection, words.text) as cursor:
            if len(filled) == 1:
                cursor.execute(words.text, filled[0])
            else:
                cursor.executemany(words.text, filled)

    def _put(self, dialect: Dialect) -> _Words:
        compiled = self._make(dialect).compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        fixed: dict[str, object] = {}
        converts: dict[str, _Convert] = {}
        for parameter, name in compiled.bind_names.items():
            convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if not parameter.required:
                value = parameter.effective_value
                value = str(value) if isinstance(value, StrEnum) else value
                fixed[name] = convert(value) if convert else value
            elif convert:
                converts[name] = convert
        words = _Words(compiled.string, compiled.positiontup, fixed, converts)
        self._words[dialect.name] = words
        return words


@contextmanager
def _cursor(connection: Connection, words: str) -> Iterator[DBAPICursor]:
    """The driver's cursor; what it raises comes out as SQLAlchemy would tell it."""
    if not connection.in_transaction():
        connection.begin()
    cursor = connection.connection.cursor()
    errors = connection.dialect.loaded_dbapi.Error
    try:
        yield cursor
    except errors as exc:
        lost = connection.dialect.is_disconnect(exc, connection.connection, cursor)
        if lost:
            connection.invalidate(exc)
            # As SQLAlchemy has it: what was lost with this connection was with all others.
            connection.engine.dispose()
        raise DBAPIError.instance(
            words,
            None,
            exc,
            errors,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=connection.dialect,
        ) from exc
    finally:
        cursor.close()
