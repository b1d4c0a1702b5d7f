"""A segment as a tree of frozen values, and the tree in words again: pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from subscribers.attribute.model import Kind


class FieldKind(StrEnum):
    """What a field holds, which says what may be asked of it."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    LIST = "list"
    #: A point in time that the program keeps, compared by whole days in UTC.
    MOMENT = "moment"
    #: A mail address, compared as addresses are.
    ADDRESS = "address"
    #: A mail domain, compared in lower-case ASCII.
    DOMAIN = "domain"


class Operator(StrEnum):
    """How a field is compared with values."""

    IS = "="
    IS_NOT = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    IN = "in"
    CONTAINS = "contains"
    STARTS = "starts with"
    ENDS = "ends with"
    HAS = "has"


@dataclass(frozen=True, kw_only=True)
class Field:
    """What is asked about a person; `attribute`: one of the declared, else one of ours."""

    name: str
    kind: FieldKind
    attribute: bool = False


Value = str | float | bool | date


@dataclass(frozen=True, kw_only=True)
class Compare:
    """A field compared with a value, or with several (`in`)."""

    field: Field
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Recent:
    """A point in time within a span before now."""

    field: Field
    span: timedelta


@dataclass(frozen=True, kw_only=True)
class Present:
    """A field that has a value; of a boolean one: that it is true."""

    field: Field


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """A person with this tag."""

    tag: str


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A person who gets this newsletter, by its short name."""

    newsletter: str


@dataclass(frozen=True, kw_only=True)
class Not:
    """Everybody else."""

    part: Expression


@dataclass(frozen=True, kw_only=True)
class Both:
    """People of whom all parts hold."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, kw_only=True)
class Either:
    """People of whom any part holds."""

    parts: tuple[Expression, ...]


Expression = Compare | Recent | Present | Tagged | Reader | Not | Both | Either

#: The fields that everybody has, beside the declared attributes.
FIELDS = {
    name: Field(name=name, kind=kind)
    for name, kind in {
        "address": FieldKind.ADDRESS,
        "domain": FieldKind.DOMAIN,
        "name": FieldKind.TEXT,
        "language": FieldKind.TEXT,
        "timezone": FieldKind.TEXT,
        "source": FieldKind.TEXT,
        "joined": FieldKind.MOMENT,
        "opened": FieldKind.MOMENT,
        "clicked": FieldKind.MOMENT,
    }.items()
}

_TEXTS = frozenset(
    {
        Operator.IS,
        Operator.IS_NOT,
        Operator.IN,
        Operator.CONTAINS,
        Operator.STARTS,
        Operator.ENDS,
    }
)
_ORDERED = frozenset(
    {
        Operator.IS,
        Operator.IS_NOT,
        Operator.LESS,
        Operator.AT_MOST,
        Operator.MORE,
        Operator.AT_LEAST,
    }
)
_EXACT = frozenset({Operator.IS, Operator.IS_NOT, Operator.IN})

#: What may be asked of a field; text has no order that both databases agree on.
OPERATORS = {
    FieldKind.TEXT: _TEXTS,
    FieldKind.ADDRESS: _EXACT,
    FieldKind.DOMAIN: _TEXTS,
    FieldKind.NUMBER: _ORDERED | {Operator.IN},
    FieldKind.BOOLEAN: frozenset({Operator.IS, Operator.IS_NOT}),
    FieldKind.DATE: _ORDERED | {Operator.IN},
    FieldKind.MOMENT: _ORDERED,
    FieldKind.LIST: frozenset({Operator.HAS}),
}


def attribute_field(name: str, kind: Kind) -> Field:
    """The field of a declared attribute."""
    return Field(name=name, kind=FieldKind(kind.value), attribute=True)


def in_words(expression: Expression) -> str:
    """The tree in the language it was read from; reading that gives the same tree."""
    return _WRITERS[type(expression)](expression)


def _compare(one: Compare) -> str:
    values = [_value(value) for value in one.values]
    told = f"({', '.join(values)})" if one.operator is Operator.IN else values[0]
    return f"{one.field.name} {one.operator} {told}"


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, float):
        return f"{value:f}".rstrip("0").rstrip(".")
    return value.isoformat()


def _joined(word: str) -> Callable[[Both | Either], str]:
    return lambda one: f" {word} ".join(f"({in_words(part)})" for part in one.parts)


_WRITERS: dict[type, Callable[..., str]] = {
    Compare: _compare,
    Recent: lambda one: f"{one.field.name} in last {one.span // timedelta(hours=1)} hours",
    Present: lambda one: f"has {one.field.name}",
    Tagged: lambda one: f"tag:{_value(one.tag)}",
    Reader: lambda one: f"newsletter:{_value(one.newsletter)}",
    Not: lambda one: f"not ({in_words(one.part)})",
    Both: _joined("and"),
    Either: _joined("or"),
}
