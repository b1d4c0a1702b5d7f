"""A segment's tree as a condition in SQL, every value bound.

It stands over `subscribers` joined with their `subscriptions`, as `audience.mailable` does. No
condition is ever null: `not plan = "pro"` holds of those without a plan.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import Session

from subscribers.model import Status
from subscribers.segment.model import (
    Both,
    Compare,
    Either,
    Expression,
    Field,
    FieldKind,
    Not,
    Operator,
    Present,
    Reader,
    Recent,
    Tagged,
    Value,
)
from subscribers.tables import newsletters, subscribers, subscriptions

_OURS: dict[str, ColumnElement[object]] = {
    "address": subscribers.c.address_key,
    "domain": subscribers.c.domain,
    "name": subscribers.c.name,
    "language": subscribers.c.language,
    "timezone": subscribers.c.timezone,
    "source": subscriptions.c.source,
    "joined": subscriptions.c.joined_at,
    "opened": subscriptions.c.last_opened_at,
    "clicked": subscriptions.c.last_clicked_at,
}


def condition(
    session: Session, expression: Expression, *, now: datetime, at_once: bool = False
) -> ColumnElement[bool]:
    """The condition of a segment; `now` is what `in last 90 days` counts back from.

    `at_once`: it is asked of everybody in one statement, not range by range.
    """
    compiler = _Compiler(sqlite=session.get_bind().dialect.name == "sqlite", now=now)
    return and_(compiler.of(expression), *(_by_index(expression) if at_once else ()))


def _by_index(expression: Expression) -> Iterator[ColumnElement[bool]]:
    """What must hold of everybody in it and an index knows, once more and bare.

    A database finds no index behind the `coalesce` that keeps a condition from being null. (Where
    this is null the condition beside it is false.)
    """
    for part in expression.parts if isinstance(expression, Both) else (expression,):
        match part:
            case Compare(
                field=Field(name="domain" | "address" as name, attribute=False),
                operator=Operator.IS | Operator.IN,
            ):
                yield _OURS[name].in_([_bound(value) for value in part.values])


class _Compiler:
    def __init__(self, *, sqlite: bool, now: datetime) -> None:
        self._sqlite = sqlite
        self._now = now

    def of(self, expression: Expression) -> ColumnElement[bool]:
        match expression:
            case Both():
                return and_(*map(self.of, expression.parts))
            case Either():
                return or_(*map(self.of, expression.parts))
            case Not():
                return not_(self.of(expression.part))
            case Tagged():
                return self._listed(cast(subscribers.c.tags, Text), expression.tag)
            case Reader():
                return _gets(expression.newsletter)
            case Recent():
                return _told(self._column(expression.field) >= self._now - expression.span)
            case Present():
                return self._present(expression.field)
            case Compare():
                return self._compare(expression)

    def _present(self, field: Field) -> ColumnElement[bool]:
        column = self._column(field)
        if field.kind is FieldKind.BOOLEAN:
            return _told(column == literal(True))
        if field.kind is FieldKind.TEXT:
            return _told(column != literal(""))
        return column.is_not(None)

    def _compare(self, one: Compare) -> ColumnElement[bool]:
        if one.operator is Operator.IS_NOT:
            return not_(self._compare(replace(one, operator=Operator.IS)))
        column = self._column(one.field)
        if one.operator is Operator.HAS:
            return self._listed(column, str(one.values[0]))
        if one.field.kind is FieldKind.MOMENT:
            return _told(_by_day(column, one.operator, one.values[0]))
        values = [_bound(value) for value in one.values]
        if one.operator is Operator.IN:
            return _told(column.in_(values))
        return _told(_COMPARISONS[one.operator](column, values[0]))

    def _column(self, field: Field) -> ColumnElement[object]:
        if not field.attribute:
            return _OURS[field.name]
        stored = subscribers.c.attributes[field.name]
        if field.kind is FieldKind.NUMBER:
            return self._guarded(field, ("number", "integer", "real"), stored.as_float())
        if field.kind is FieldKind.BOOLEAN:
            return self._guarded(field, ("boolean", "true", "false"), stored.as_boolean())
        if field.kind is FieldKind.LIST:
            return self._guarded(field, ("array",), stored.as_string())
        text: ColumnElement[object] = stored.as_string()
        return text

    def _guarded(
        self, field: Field, kinds: tuple[str, ...], value: ColumnElement[object]
    ) -> ColumnElement[object]:
        """The value where it is of its kind: PostgreSQL would end the statement otherwise."""
        if self._sqlite:
            # Nothing is cast there, and asking would read the JSON twice.
            return value
        stored = func.json_typeof(subscribers.c.attributes.op("->")(field.name))
        return case((stored.in_(kinds), value))

    def _listed(self, text: ColumnElement[object], item: str) -> ColumnElement[bool]:
        """Whether a JSON list of texts, as it was written, holds this text.

        Texts are encoded in one way only, so that the encoding, quotes and all, stands there
        exactly where the list has the text: far quicker than taking each list apart.
        """
        find = func.instr if self._sqlite else func.strpos
        return func.coalesce(find(text, json.dumps(item)), 0) > 0


def _gets(slug: str) -> ColumnElement[bool]:
    """Whether the person gets a newsletter: a place of its own, not the one that is joined."""
    place = subscriptions.alias("elsewhere")
    this = select(newsletters.c.id).where(newsletters.c.slug == slug).scalar_subquery()
    return exists().where(
        place.c.newsletter_id == this,
        place.c.subscriber_id == subscribers.c.id,
        place.c.status == Status.ACTIVE,
    )


def _told(known: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition, false where nothing is known."""
    return func.coalesce(known, false())


def _bound(value: Value) -> str | float | bool:
    return value.isoformat() if isinstance(value, date) else value


_COMPARISONS: dict[
    Operator, Callable[[ColumnElement[object], str | float | bool], ColumnElement[bool]]
] = {
    Operator.IS: lambda column, value: column == literal(value),
    Operator.LESS: lambda column, value: column < value,
    Operator.AT_MOST: lambda column, value: column <= value,
    Operator.MORE: lambda column, value: column > value,
    Operator.AT_LEAST: lambda column, value: column >= value,
    Operator.CONTAINS: lambda column, value: column.icontains(value, autoescape=True),
    Operator.STARTS: lambda column, value: column.istartswith(value, autoescape=True),
    Operator.ENDS: lambda column, value: column.iendswith(value, autoescape=True),
}


def _by_day(column: ColumnElement[object], operator: Operator, value: Value) -> ColumnElement[bool]:
    """A point in time compared with a whole day, in UTC."""
    assert isinstance(value, date)
    start = datetime.combine(value, time(), UTC)
    end = start + timedelta(days=1)
    comparisons = {
        Operator.IS: and_(column >= start, column < end),
        Operator.LESS: column < start,
        Operator.AT_MOST: column < end,
        Operator.MORE: column >= end,
        Operator.AT_LEAST: column >= start,
    }
    return comparisons[operator]
