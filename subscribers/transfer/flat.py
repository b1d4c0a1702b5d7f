"""JSON into cells: objects within objects become columns of their own: pure.

`{"email": "a@x.org", "attributes": {"plan": "pro"}}` is a row of the columns `email` and
`attributes.plan`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from subscribers.attribute.model import Kind, text_of

#: Objects deeper than that stay JSON.
_DEPTH = 4
#: More names than any header may have; nobody needs to know the rest.
_MOST = 200


class NotFlat(ValueError):
    """This text is no JSON object."""


@dataclass(kw_only=True)
class Shape:
    """The names that objects have between them, in the order they come, and what they hold."""

    seen: dict[str, set[Kind]] = field(default_factory=dict)

    def add(self, flat: Mapping[str, object]) -> None:
        """Take note of one object."""
        for name, value in flat.items():
            if len(self.seen) > _MOST:
                return
            kinds = self.seen.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self.seen)

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each holds: text where that differs."""
        return {name: next(iter(kinds)) for name, kinds in self.seen.items() if len(kinds) == 1}


def read_object(text: str) -> dict[str, object]:
    """An object with all its values by their full names; raises NotFlat."""
    try:
        value = json.loads(text, parse_constant=_refuse)
        if not isinstance(value, dict):
            raise NotFlat
        return _flat(value, depth=1)
    except (ValueError, RecursionError) as exc:
        raise NotFlat from exc


def cell_of(value: object) -> str:
    """A value as the text of a cell."""
    if isinstance(value, (list, dict)) and not _is_list(value):
        return json.dumps(value, ensure_ascii=False)
    return text_of(value)


def _flat(value: Mapping[str, object], *, depth: int) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, one in value.items():
        if isinstance(one, dict) and depth < _DEPTH:
            flat |= {f"{name}.{rest}": part for rest, part in _flat(one, depth=depth + 1).items()}
        else:
            flat[name] = one
    return flat


def _kind(value: object) -> Kind:
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, (int, float)):
        return Kind.NUMBER
    return Kind.LIST if _is_list(value) else Kind.TEXT


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _refuse(constant: str) -> object:
    raise NotFlat(constant)
