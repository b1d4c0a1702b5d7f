"""Merge fields and conditions: the few Jinja expressions an issue may hold, as a typed tree.

Jinja parses, an allow-list decides, and `evaluate` walks our own tree over plain data: nothing
an author or a subscriber writes is ever run.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

import jinja2
from jinja2 import nodes

from mailer.errors import IssueInvalid
from mailer.issue.values import Value, compare, plain, spelled, truth

#: The names an expression may use; under `attributes` comes any one name, the newsletter's own.
NAMES: Mapping[str, frozenset[str]] = {
    "subscriber": frozenset({"id", "name", "email", "language", "attributes"}),
    "newsletter": frozenset(
        {"name", "url", "from_name", "from_address", "postal_address", "language"}
    ),
    "issue": frozenset({"number", "date", "subject", "canonical_url"}),
    "message": frozenset({"unsubscribe_url", "archive_url", "preferences_url"}),
}
FILTERS: Mapping[str, tuple[int, int]] = {  # name: fewest and most arguments
    "default": (1, 1),
    "upper": (0, 0),
    "lower": (0, 0),
    "title": (0, 0),
    "capitalize": (0, 0),
    "trim": (0, 0),
}
MAX_LENGTH = 500
_MAX_DEPTH = 30


class ExpressionInvalid(IssueInvalid):
    """This expression can't be used in an issue."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


class Logic(StrEnum):
    """How two conditions join."""

    AND = "and"
    OR = "or"


@dataclass(frozen=True, kw_only=True)
class Name:
    """A field, such as `subscriber.attributes.plan`."""

    path: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Literal:
    """A value the author wrote, or a list of such."""

    value: Value


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """A value passed through a filter, such as `name | upper`."""

    operand: Node
    filter: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two values compared; `operator` is one of `eq ne lt lteq gt gteq in notin`."""

    left: Node
    operator: str
    right: Node


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Two conditions joined."""

    left: Node
    logic: Logic
    right: Node


@dataclass(frozen=True, kw_only=True)
class Negation:
    """A condition turned round."""

    operand: Node


Node: TypeAlias = Name | Literal | Filtered | Comparison | Joined | Negation


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A parsed expression; `source` is its serial form: `parse(e.source) == e`."""

    source: str
    tree: Node

    @property
    def names(self) -> frozenset[tuple[str, ...]]:
        """The paths of all fields it uses."""
        return frozenset(name.path for name in _walk_names(self.tree))


@lru_cache(maxsize=1024)
def parse(source: str) -> Expression:
    """Read one expression, without its braces.

    Raises ExpressionInvalid for what Jinja can't parse and for what is not on the allow-list:
    calls, loops, arithmetic, other names and other filters.
    """
    text = source.strip()
    if not text:
        raise ExpressionInvalid("empty merge field", "write {{ subscriber.name }} or remove it")
    if len(text) > MAX_LENGTH:
        raise ExpressionInvalid(
            f"expression of {len(text)} characters", f"use at most {MAX_LENGTH}"
        )
    return Expression(source=text, tree=_convert(_jinja(text), depth=0))


def evaluate(expression: Expression, fields: Mapping[str, object]) -> str | bool:
    """The expression's value for one person: bool for comparisons and logic, else text.

    `fields` maps `subscriber`, `newsletter`, … to mappings of plain values. What is missing is
    the empty text; numbers are written as Python writes them, booleans as `true` and `false`.
    """
    value = _value(expression.tree, fields)
    if isinstance(expression.tree, Comparison | Joined | Negation):
        return bool(value)
    return spelled(value)


def holds(expression: Expression, fields: Mapping[str, object]) -> bool:
    """Whether a condition is true for one person; missing, empty, 0 and `false` are not."""
    return truth(_value(expression.tree, fields))


# --- from Jinja's tree to ours ------------------------------------------------------------------

_ENVIRONMENT = jinja2.Environment(autoescape=True)
_SHAPES = 'only names, comparisons, and/or/not, "in" and filters are allowed'


def _jinja(text: str) -> nodes.Node:
    try:
        template = _ENVIRONMENT.parse("{{ " + text + " }}")
    except jinja2.TemplateSyntaxError as exc:
        raise ExpressionInvalid(f"{exc.message or 'syntax error'} in {text!r}", _SHAPES) from exc
    except (RecursionError, ValueError, OverflowError) as exc:
        raise ExpressionInvalid("expression too deep or too long", _SHAPES) from exc
    body = template.body
    if len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1:
        return body[0].nodes[0]
    raise ExpressionInvalid(f"{text!r} is not one expression", _SHAPES)


def _convert(node: nodes.Node, *, depth: int) -> Node:
    if depth > _MAX_DEPTH:
        raise ExpressionInvalid("expression too deep", "use several shorter conditions")
    below = depth + 1
    match node:
        case nodes.Name() | nodes.Getattr() | nodes.Getitem():
            return _name(node)
        case nodes.Const() | nodes.List() | nodes.Tuple() | nodes.Neg() | nodes.TemplateData():
            return Literal(value=_literal(node, depth=below))
        case nodes.Filter(node=nodes.Node() as operand):
            return _filtered(node, operand, depth=below)
        case nodes.Compare(expr=left, ops=[nodes.Operand(op=op, expr=right)]):
            return Comparison(
                left=_convert(left, depth=below), operator=op, right=_convert(right, depth=below)
            )
        case nodes.And(left=left, right=right) | nodes.Or(left=left, right=right):
            logic = Logic.AND if isinstance(node, nodes.And) else Logic.OR
            return Joined(
                left=_convert(left, depth=below), logic=logic, right=_convert(right, depth=below)
            )
        case nodes.Not(node=operand):
            return Negation(operand=_convert(operand, depth=below))
    raise ExpressionInvalid(f"{_spoken(node)} can't stand in an issue", _SHAPES)


def _spoken(node: nodes.Node) -> str:
    known: dict[type[nodes.Node], str] = {
        nodes.Call: "a call",
        nodes.Const: "a text or number",
        nodes.CondExpr: "an if-else expression",
        nodes.Test: "a test",
        nodes.Compare: "a chain of comparisons",
    }
    if isinstance(node, nodes.BinExpr):
        return "arithmetic"
    return known.get(type(node), type(node).__name__.lower())


def _literal(node: nodes.Node, *, depth: int) -> Value:
    if depth > _MAX_DEPTH:
        raise ExpressionInvalid("expression too deep", "use a flat list")
    match node:
        case nodes.Const(value=(str() | int() | float() | None) as value):
            return value
        case nodes.TemplateData(data=data):
            return str(data)
        case nodes.Neg(node=nodes.Const(value=(int() | float()) as value)):
            return -value
        case nodes.List(items=items) | nodes.Tuple(items=items):
            return tuple(_literal(item, depth=depth + 1) for item in items)
    raise ExpressionInvalid(f"{_spoken(node)} can't stand here", "write a text or a number")


def _name(node: nodes.Node) -> Name:
    path = tuple(reversed(list(_steps(node))))
    dotted = ".".join(path)
    root, rest = path[0], path[1:]
    if root not in NAMES:
        raise ExpressionInvalid(f"unknown merge field {dotted!r}", _nearest(root, NAMES))
    if not rest or rest[0] not in NAMES[root]:
        given = rest[0] if rest else ""
        near = _nearest(given, NAMES[root], prefix=f"{root}.")
        raise ExpressionInvalid(f"unknown merge field {dotted!r}", near)
    wanted = 3 if rest[0] == "attributes" else 2
    if len(path) != wanted:
        example = f"{root}.attributes.plan" if wanted == 3 else f"{root}.{rest[0]}"
        raise ExpressionInvalid(f"unknown merge field {dotted!r}", f"write it like {example}")
    return Name(path=path)


def _steps(node: nodes.Node) -> Iterator[str]:
    while not isinstance(node, nodes.Name):
        match node:
            case nodes.Getattr(node=below, attr=name):
                yield name
            case nodes.Getitem(node=below, arg=nodes.Const(value=str() as name)):
                yield name
            case _:
                raise ExpressionInvalid(f"{_spoken(node)} has no fields", _SHAPES)
        node = below
    yield node.name


def _nearest(given: str, known: Mapping[str, object] | frozenset[str], *, prefix: str = "") -> str:
    close = difflib.get_close_matches(given, list(known), n=1)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    return "there are " + ", ".join(prefix + name for name in sorted(known))


def _filtered(node: nodes.Filter, operand: nodes.Node, *, depth: int) -> Filtered:
    if node.name not in FILTERS:
        raise ExpressionInvalid(f"unknown filter {node.name!r}", _nearest(node.name, FILTERS))
    fewest, most = FILTERS[node.name]
    extra = node.kwargs or node.dyn_args or node.dyn_kwargs
    if extra or not fewest <= len(node.args) <= most:
        example = 'default("there")' if fewest else node.name
        raise ExpressionInvalid(f"wrong arguments for {node.name!r}", f"write | {example}")
    return Filtered(
        operand=_convert(operand, depth=depth),
        filter=node.name,
        arguments=tuple(_convert(argument, depth=depth) for argument in node.args),
    )


def _walk_names(node: Node) -> Iterator[Name]:
    match node:
        case Name():
            yield node
        case Filtered():
            for child in (node.operand, *node.arguments):
                yield from _walk_names(child)
        case Comparison() | Joined():
            yield from _walk_names(node.left)
            yield from _walk_names(node.right)
        case Negation():
            yield from _walk_names(node.operand)


# --- evaluation ---------------------------------------------------------------------------------

_FILTERS: Mapping[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "capitalize": str.capitalize,
    "trim": str.strip,
}


def _value(node: Node, fields: Mapping[str, object]) -> Value:
    match node:
        case Name():
            return _look_up(node.path, fields)
        case Literal():
            return node.value
        case Filtered():
            return _filter(node, fields)
        case Comparison():
            return compare(_value(node.left, fields), node.operator, _value(node.right, fields))
        case Negation():
            return not truth(_value(node.operand, fields))
        case Joined():
            left = truth(_value(node.left, fields))
            if left == (node.logic is Logic.OR):
                return left
            return truth(_value(node.right, fields))


def _look_up(path: tuple[str, ...], fields: Mapping[str, object]) -> Value:
    found: object = fields
    for step in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return plain(found)


def _filter(node: Filtered, fields: Mapping[str, object]) -> Value:
    value = _value(node.operand, fields)
    if node.filter == "default":
        missing = value is None or value == ""
        return _value(node.arguments[0], fields) if missing else value
    return _FILTERS[node.filter](spelled(value))
