"""What is measured of people: plain values, made into a page by `people_page`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Speed:
    """So many rows in so many seconds, and CPU seconds of client and server together."""

    rows: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Rows per second of the clock."""
        return self.rows / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU a row."""
        return self.cpu / self.rows * 1e6


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A segment counted: its words, its people, the least seconds and CPU seconds of a few."""

    words: str
    people: int
    seconds: float
    cpu: float


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something done with one person: milliseconds (median), and of CPU (mean)."""

    name: str
    milliseconds: float
    cpu: float


@dataclass(kw_only=True)
class Kind:
    """All that was measured on one kind of database; speeds by what was done."""

    name: str
    rows: int
    speeds: dict[str, Speed] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    #: How the indexes were made as deep as those of ten million people.
    deep: str = ""


@dataclass(kw_only=True)
class Figures:
    """Everything; `memory` is MiB at most, by what a process did and with how many rows."""

    kinds: list[Kind] = field(default_factory=list)
    memory: dict[tuple[str, int], float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
