"""What there is to know about a service's export files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from subscribers.attribute.model import Kind
from subscribers.model import Status
from subscribers.transfer.standing import Standing

#: What a column becomes that is left out.
IGNORED = "ignored"


class Rest(StrEnum):
    """What becomes of a column that a profile does not name."""

    #: By its name, as in any file; else an attribute.
    GUESS = "guess"
    #: An attribute of that very name.
    ATTRIBUTE = "attribute"
    #: Nothing: the service has no fields of one's own.
    IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One service's files. Columns are named in lower case without blanks and signs.

    A header that has all columns of one of `marks` is this service's. `columns`: what each
    means, or which attribute it is. `implied`: where everybody stands in a file that has this
    column. `files`: the same by how a file's name begins; None for people who never subscribed.
    `kinds`: what the attributes hold where that is not text. `whole`: its consents are complete
    records of our own. `alone`: only a header without other columns is this service's.
    """

    name: str
    title: str
    marks: tuple[frozenset[str], ...]
    columns: Mapping[str, str]
    statuses: Mapping[str, Standing] = field(default_factory=lambda: MappingProxyType({}))
    implied: Mapping[str, Status] = field(default_factory=lambda: MappingProxyType({}))
    files: Mapping[str, Status | None] = field(default_factory=lambda: MappingProxyType({}))
    kinds: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))
    rest: Rest = Rest.GUESS
    whole: bool = False
    alone: bool = False


def marks(*sets: str) -> tuple[frozenset[str], ...]:
    """Sets of columns, each written as one line of words."""
    return tuple(frozenset(one.split()) for one in sets)


def spread(table: Mapping[str, str]) -> dict[str, str]:
    """Turn `{"joined_at": "createdat startdate"}` into one entry a column."""
    return {column: meaning for meaning, columns in table.items() for column in columns.split()}
