"""From `if`, `elif`, `else`, `endif` in a row to branches in a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from mailer.issue.expression import Expression
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.tags import Tag, TagKind

MAX_DEPTH = 20

T = TypeVar("T")
#: Builds a branch: condition, then, otherwise.
Make: TypeAlias = Callable[[Expression, tuple[T, ...], tuple[T, ...]], T]


def nest(pieces: Iterable[T | Tag], notes: Notes, make: Make[T]) -> tuple[T, ...]:
    """Conditions and what stands between them, as a tree; unbalanced ones are noted.

    Fields must have been converted before: every Tag among `pieces` is a condition's or void.
    """
    nesting = _Nesting(notes=notes, make=make)
    for piece in pieces:
        if isinstance(piece, Tag):
            nesting.tag(piece)
        else:
            nesting.here.append(piece)
    return nesting.finish()


@dataclass(kw_only=True)
class _Branch(Generic[T]):
    """An `if` that is still open, and what was gathered so far."""

    tag: Tag
    then: list[T] = field(default_factory=list)
    otherwise: list[T] | None = None

    @property
    def gathering(self) -> list[T]:
        return self.then if self.otherwise is None else self.otherwise


@dataclass(kw_only=True)
class _Nesting(Generic[T]):
    notes: Notes
    make: Make[T]
    done: list[T] = field(default_factory=list)
    open: list[_Branch[T]] = field(default_factory=list)
    #: Set when conditions are nested too deep: no further one is looked at.
    stopped: bool = False

    @property
    def here(self) -> list[T]:
        return self.open[-1].gathering if self.open else self.done

    def tag(self, tag: Tag) -> None:
        if tag.kind in (TagKind.IF, TagKind.ELIF) and not self.stopped:
            self._check_depth(tag)
        if self.stopped:
            return
        if tag.kind is TagKind.IF:
            self.open.append(_Branch(tag=tag))
        elif tag.kind is TagKind.VOID:
            return
        elif not self.open:
            self.notes.add(
                Rule.CONDITION,
                tag.place,
                f"{{% {tag.kind} %}} without an {{% if %}} in the same place",
                "write {% if … %} before it in the same paragraph or block, or remove it",
            )
        elif tag.kind is TagKind.END:
            self.close()
        elif self.open[-1].otherwise is not None:
            self.notes.add(
                Rule.CONDITION,
                tag.place,
                f"{{% {tag.kind} %}} after {{% else %}}",
                "remove one of them",
            )
        else:
            self.open[-1].otherwise = []
            if tag.kind is TagKind.ELIF:
                self.open.append(_Branch(tag=tag))

    def _check_depth(self, tag: Tag) -> None:
        if len(self.open) >= MAX_DEPTH:
            self.stopped = True
            self.notes.add(
                Rule.TOO_COMPLEX,
                tag.place,
                f"more than {MAX_DEPTH} conditions inside each other",
                "join them with and/or",
            )

    def close(self) -> None:
        """End the innermost `if`; an `elif` ends together with the `if` it belongs to."""
        while self.open:
            branch = self.open.pop()
            assert branch.tag.expression is not None
            then, otherwise = tuple(branch.then), tuple(branch.otherwise or ())
            self.here.append(self.make(branch.tag.expression, then, otherwise))
            if branch.tag.kind is TagKind.IF:
                return

    def finish(self) -> tuple[T, ...]:
        for branch in self.open:
            if branch.tag.kind is TagKind.IF and not self.stopped:
                self.notes.add(
                    Rule.CONDITION,
                    branch.tag.place,
                    "this condition is not closed where it was opened",
                    "write {% endif %} in the same paragraph, or on a line of its own in the "
                    "same block",
                )
        while self.open:
            self.close()
        return tuple(self.done)
