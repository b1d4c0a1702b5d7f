"""The slots and conditions of one rendering, numbered as they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from mailer.issue.expression import Expression, Name, evaluate, holds
from mailer.render.escape import escape
from mailer.render.model import (
    Condition,
    Escape,
    Slot,
    SlotKind,
    SystemSlot,
    condition_mark,
    slot_mark,
)

_SYSTEM = {
    ("message", "unsubscribe_url"): SystemSlot.UNSUBSCRIBE_URL,
    ("message", "archive_url"): SystemSlot.ARCHIVE_URL,
    ("message", "preferences_url"): SystemSlot.PREFERENCES_URL,
}
#: Known when the issue is rendered: such expressions leave no slot behind.
_CONSTANT = frozenset({"newsletter", "issue"})

P = TypeVar("P", covariant=True)


class Branching(Protocol[P]):
    """A Choice or an Alternative."""

    @property
    def condition(self) -> Expression:
        """When `then` is shown."""

    @property
    def then(self) -> P:
        """What is shown when it holds."""

    @property
    def otherwise(self) -> P:
        """What is shown when it does not."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What to write around the two sides of a condition."""

    start: str
    middle: str
    end: str


@dataclass(kw_only=True)
class SlotBook:
    """Hands out slots and conditions; `constants` holds the fields that are the same for all."""

    nonce: str
    constants: Mapping[str, Mapping[str, object]]
    slots: list[Slot] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    _numbers: dict[int, tuple[object, int]] = field(default_factory=dict)

    def value(self, expression: Expression, how: Escape) -> str:
        """The mark of a new slot, or the value itself, escaped, where it is known already."""
        if self.is_constant(expression):
            return escape(self.text(expression), how)
        tree = expression.tree
        if isinstance(tree, Name) and tree.path in _SYSTEM:
            return self.system(_SYSTEM[tree.path], how)
        return self._new(expression.source, SlotKind.VALUE, how)

    def system(self, slot: SystemSlot, how: Escape) -> str:
        """The mark of a new slot for what the delivery supplies."""
        return self._new(slot.value, SlotKind.SYSTEM, how)

    def is_constant(self, expression: Expression) -> bool:
        """Whether the value is the same for all recipients."""
        return all(name[0] in _CONSTANT for name in expression.names)

    def text(self, expression: Expression) -> str:
        """The value of a constant expression."""
        value = evaluate(expression, self.constants)
        return value if isinstance(value, str) else str(value).lower()

    def marks(self, node: Branching[object]) -> Marks | None:
        """The marks of a condition, or None where it is decided already (see `decided`).

        HTML and text show the same node, and so get the same number.
        """
        if self.is_constant(node.condition):
            return None
        if id(node) not in self._numbers:
            number = len(self.conditions)
            # The node is kept beside its number: an id is only unique while the object lives.
            self._numbers[id(node)] = (node, number)
            self.conditions.append(Condition(number=number, source=node.condition.source))
        number = self._numbers[id(node)][1]
        start, middle, end = (
            condition_mark(self.nonce, word, number) for word in ("if", "else", "end")
        )
        return Marks(start=start, middle=middle, end=end)

    def decided(self, node: Branching[P]) -> P:
        """The side of a constant condition that everybody gets."""
        return node.then if holds(node.condition, self.constants) else node.otherwise

    def branch(self, node: Branching[P], show: Callable[[P], str]) -> str:
        """Both sides of a condition between its marks; one side where it is decided."""
        marks = self.marks(node)
        if marks is None:
            return show(self.decided(node))
        then, otherwise = show(node.then), show(node.otherwise)
        sides = [then, marks.middle, otherwise] if otherwise else [then]
        # Joined, not added: markupsafe would escape the marks.
        return "".join([marks.start, *sides, marks.end])

    def _new(self, source: str, kind: SlotKind, how: Escape) -> str:
        number = len(self.slots)
        self.slots.append(Slot(number=number, source=source, kind=kind, escape=how))
        return slot_mark(self.nonce, number)
