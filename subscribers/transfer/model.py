"""Values between the steps of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from subscribers.address import Address
from subscribers.attribute.model import Kind
from subscribers.model import Newsletter, Status
from subscribers.token import Keyring


@dataclass(frozen=True, kw_only=True)
class Import:
    """What holds for a whole import. `status`: of people whose row names none.

    With `declare` columns that are no attribute yet become attributes, of `new_kind`; without,
    such a column stops the import before anything is changed.
    """

    newsletter: Newsletter
    keyring: Keyring
    now: datetime
    status: Status = Status.ACTIVE
    declare: bool = False
    new_kind: Kind = Kind.TEXT
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """One record of a file; `problem` says why its cells can't be trusted."""

    line: int
    cells: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One good row. What the file does not say is empty or None."""

    line: int
    address: Address
    name: str = ""
    language: str | None = None
    timezone: str | None = None
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    status: Status | None = None
    joined_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """One row that was not taken: where, why, what it held, and the columns' names."""

    line: int
    reason: str
    cells: tuple[str, ...]
    header: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of the rows; each counts in exactly one place.

    `updated`: was here, something about the person is new. `left_out`: good rows of people
    who must not be brought back, by reason (an Exclusion). `declared`: attributes that the
    file brought.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
    declared: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """All rows."""
        return (
            self.added + self.updated + self.unchanged + sum(self.left_out.values()) + self.refused
        )

    def __add__(self, other: Report) -> Report:
        """The sum, place by place."""
        reasons = [*dict.fromkeys([*self.left_out, *other.left_out])]
        return Report(
            added=self.added + other.added,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            left_out={r: self.left_out.get(r, 0) + other.left_out.get(r, 0) for r in reasons},
            refused=self.refused + other.refused,
            declared=(*self.declared, *other.declared),
        )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an import is, in bytes of the file, and what became of the rows so far."""

    done: int
    total: int
    report: Report
