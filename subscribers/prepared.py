"""Statements put into a database's words once, for where they are run for every few copies.

To run a statement, SQLAlchemy looks up its compiled form and sorts and converts all parameters,
which takes several times as long as SQLite takes to answer. Here only what is given is converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, CursorResult, Dialect
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
        values = {**self.fixed, **given}
        for name, convert in self.converts.items():
            values[name] = convert(values[name])
        return values if self.order is None else tuple([values[name] for name in self.order])


class Prepared:
    """A statement that a function makes for a dialect.

    Rows come as the driver gives them: ask for numbers, words and nulls alone.
    """

    def __init__(self, make: Callable[[Dialect], ClauseElement]) -> None:
        self._make = make
        self._words: dict[str, _Words] = {}

    def run(self, session: Session, **given: object) -> CursorResult[*tuple[Any, ...]]:
        """Run it in the session's transaction; every parameter without a value is given."""
        connection = session.connection()
        words = self._words.get(connection.dialect.name) or self._put(connection.dialect)
        return connection.exec_driver_sql(words.text, words.filled(given))

    def run_each(self, session: Session, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it once for each row of parameters."""
        connection = session.connection()
        words = self._words.get(connection.dialect.name) or self._put(connection.dialect)
        connection.exec_driver_sql(words.text, [words.filled(row) for row in rows])

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
