"""Values between the steps of an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from subscribers.address import Address
from subscribers.attribute.model import Kind
from subscribers.errors import UsersMistake
from subscribers.model import Newsletter, Status
from subscribers.token import Keyring


@dataclass(frozen=True, kw_only=True)
class Import:
    """What holds for a whole import. `status`: of people whose row names none.

    With `declare` columns that are no attribute yet become attributes, of `new_kind`; without,
    such a column stops the import before anything is changed. `profile` names the service the
    file is from, where that shall not be guessed, or is `csv` for none. `columns` says what a
    column means, whatever it is called.
    """

    newsletter: Newsletter
    keyring: Keyring
    now: datetime
    status: Status = Status.ACTIVE
    declare: bool = False
    new_kind: Kind = Kind.TEXT
    dry_run: bool = False
    profile: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


class RowRefused(UsersMistake):
    """Why a row can't be taken; its words are for the person who has the file."""


class Cells(NamedTuple):
    """One record of a file; `problem` says why its cells can't be trusted.

    `is_plain`: nothing in it needs cleaning. A tuple, like Entry: millions are made.
    """

    line: int
    cells: Sequence[str]
    problem: str | None = None
    is_plain: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """One change of consent that a file tells of, as `Consent` has them."""

    action: str
    at: datetime
    source: str = "import"
    evidence: Mapping[str, object] = field(default_factory=dict)


class Entry(NamedTuple):
    """One good row. What the file does not say is empty or None.

    `suppressed`: why the address must never be mailed again. `history` is what was agreed to
    elsewhere, oldest first; `whole`: it is our own record, to which nothing is to be added.
    """

    line: int
    address: Address
    name: str = ""
    language: str | None = None
    timezone: str | None = None
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, object] = MappingProxyType({})
    status: Status | None = None
    suppressed: str | None = None
    joined_at: datetime | None = None
    left_at: datetime | None = None
    history: tuple[Agreed, ...] = ()
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Refused:
    """One row that was not taken: where, why, what it held, and the columns' names.

    `table`: which of a zip's.
    """

    line: int
    reason: str
    cells: Sequence[str]
    header: Sequence[str]
    table: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table is understood: whose it is, and what each column becomes.

    `left_out`: why nobody is taken from it. `declares`: attributes that it brings.
    """

    table: str
    profile: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    left_out: str = ""
    declares: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of the rows; each counts in exactly one place.

    `added`: has a place in the newsletter now; `joined` parts them by status. `updated`: was
    here, something about the person is new. `ended`: had a place that ends, since the file says
    that they left elsewhere. `left_out`: good rows of people who must not be brought back, by
    reason (an Exclusion). `suppressed`: addresses that are not mailed any more, beside all that.
    `declared`: attributes that the file brought.
    """

    added: int = 0
    updated: int = 0
    ended: int = 0
    unchanged: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
    joined: Mapping[str, int] = field(default_factory=dict)
    suppressed: int = 0
    declared: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """All rows."""
        counts = (self.added, self.updated, self.ended, self.unchanged, self.refused)
        return sum(counts) + sum(self.left_out.values())

    def __add__(self, other: Report) -> Report:
        """The sum, place by place."""
        return Report(
            added=self.added + other.added,
            updated=self.updated + other.updated,
            ended=self.ended + other.ended,
            unchanged=self.unchanged + other.unchanged,
            left_out=_sum(self.left_out, other.left_out),
            refused=self.refused + other.refused,
            joined=_sum(self.joined, other.joined),
            suppressed=self.suppressed + other.suppressed,
            declared=(*self.declared, *other.declared),
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an import is, in bytes of the file, and what became of the rows so far."""

    done: int
    total: int
    report: Report
