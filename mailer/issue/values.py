"""The values that expressions work on, and how they compare: lenient, as CSV files need it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Scalar | tuple[Value, ...]"

_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def plain(found: object) -> Value:
    """Anything a field may hold as a Value; a mapping is nothing."""
    if found is None or isinstance(found, str | int | float):
        return found
    if isinstance(found, list | tuple | set | frozenset):
        return tuple(plain(item) for item in found)
    return None if isinstance(found, Mapping) else str(found)


def truth(value: Value) -> bool:
    """Whether a value counts as true; missing, empty, 0, `false` and `no` do not."""
    # Attributes imported from a CSV are all text.
    return bool(value) and not (isinstance(value, str) and value.lower() in ("false", "0", "no"))


def spelled(value: Value) -> str:
    """A value as text: nothing is empty, booleans are `true` and `false`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(spelled(item) for item in value)
    return str(value)


def compare(left: Value, how: str, right: Value) -> bool:
    """Compare with one of `eq ne lt lteq gt gteq in notin`; what has no order is false."""
    if how in ("in", "notin"):
        return _contains(right, left) == (how == "in")
    if how in ("eq", "ne"):
        return _equal(left, right) == (how == "eq")
    numbers = _number(left), _number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return _ORDERS[how](numbers[0], numbers[1])
    if isinstance(left, str) and isinstance(right, str):
        order = (left > right) - (left < right)
        return _ORDERS[how](order, 0)
    return False


def _contains(whole: Value, part: Value) -> bool:
    if isinstance(whole, tuple):
        return any(_equal(item, part) for item in whole)
    return isinstance(whole, str) and bool(spelled(part)) and spelled(part) in whole


def _equal(left: Value, right: Value) -> bool:
    """Text from a CSV equals the number or truth value it spells."""
    if isinstance(left, bool) or isinstance(right, bool):
        return spelled(left).lower() == spelled(right).lower()
    numeric = isinstance(left, int | float) or isinstance(right, int | float)
    if numeric and _number(left) is not None:
        return _number(left) == _number(right)
    return left == right


def _number(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
