"""A figure with its targets, and a line of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.model import Spread


@dataclass(frozen=True, kw_only=True)
class Line:
    """What was measured, over the rounds, and its bound; `least`: it must be at least that."""

    what: str
    bound: float
    least: bool
    values: Sequence[float]
    unit: str = ""
    form: str = "{:.2f}"
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the median keeps to the bound."""
        median = Spread.of(self.values).median
        return median >= self.bound if self.least else median <= self.bound

    @property
    def target(self) -> str:
        """The bound in words."""
        sign = "≥" if self.least else "≤"
        return f"{sign} {self.form.format(self.bound)}{self.unit}"

    @property
    def measured(self) -> str:
        """The median with least and most."""
        spread = Spread.of(self.values)
        told = f"{self.form.format(spread.median)}{self.unit}"
        if spread.least == spread.most:
            return told
        return f"{told} ({self.form.format(spread.least)}–{self.form.format(spread.most)})"


@dataclass(frozen=True, kw_only=True)
class Left:
    """What could not be measured here, and why."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured: rounds, seconds of one window, messages, and people of lists."""

    rounds: int
    seconds: float
    people: int
    messages: int
    short_list: int
    long_list: int
    #: How many of the long list are sent before a worker's memory is believed to be settled.
    sent_of_long: int


FULL = Extent(
    rounds=3,
    seconds=2.0,
    people=30_000,
    messages=3_000,
    short_list=10_000,
    long_list=1_000_000,
    sent_of_long=15_000,
)
QUICK = Extent(
    rounds=1,
    seconds=0.5,
    people=3_000,
    messages=300,
    short_list=400,
    long_list=2_000,
    sent_of_long=400,
)

#: Measures a figure, with a folder of its own.
Measure = Callable[[Extent, Path], Sequence[Line | Left]]
