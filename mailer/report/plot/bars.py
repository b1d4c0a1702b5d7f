"""Bars that lie beside their names, in parts: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailer.report.plot.marks import Label, Mark, Path, Plot, Rect
from mailer.report.plot.scale import Scale, count_ticks
from mailer.report.plot.words import clean, fit, number, short_number, width_of

WIDTH, WIDE = 420.0, 960.0
#: What one column of text takes, in the size that labels have.
COLUMN = 7.2
#: How much of its name a bar shows.
_NAME, _WIDE_NAME = 20, 56
_ROW, _BAR, _TOP, _AXIS, _GAP = 30.0, 18.0, 6.0, 26.0, 10.0
_HAIR = 0.75


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a bar: how it looks, what it is, how many."""

    look: str
    name: str
    many: int


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row: its name, its parts from the start on, and what is written at its end."""

    name: str
    parts: tuple[Part, ...]
    note: str = ""

    @property
    def many(self) -> int:
        """All parts together."""
        return sum(part.many for part in self.parts)

    @property
    def words(self) -> str:
        """What is written at its end."""
        return self.note or number(self.many)


def bar_plot(
    title: str, says: str, bars: Sequence[Bar], *, legend: bool = False, wide: bool = False
) -> Plot:
    """Bars one below the other on one scale; `legend` names their parts."""
    width, most = (WIDE, _WIDE_NAME) if wide else (WIDTH, _NAME)
    names = max((width_of(fit(bar.name, most)) for bar in bars), default=0)
    notes = max((width_of(bar.words) for bar in bars), default=0)
    left = names * COLUMN + _GAP
    bottom = _TOP + _ROW * len(bars)
    ticks = count_ticks(0, max((bar.many for bar in bars), default=0), most=4)
    scale = Scale(low=0, high=ticks[-1], start=left, end=width - notes * COLUMN - _GAP)
    marks: list[Mark] = [*_axis(ticks, scale, bottom)]
    for row, bar in enumerate(bars):
        marks += _row(bar, scale, top=_TOP + _ROW * row, most=most)
    return Plot(
        title=title,
        says=says,
        width=width,
        height=bottom + _AXIS,
        marks=tuple(marks),
        legend=_legend(bars) if legend else (),
    )


def _axis(ticks: Sequence[int], scale: Scale, bottom: float) -> Iterator[Mark]:
    for tick in ticks:
        x = scale.at(tick)
        look = "axis" if tick == 0 else "grid"
        yield Path(points=((x, _TOP), (x, bottom)), look=look)
        yield Label(x=x, y=bottom + 17, text=short_number(tick), anchor="middle", look="tick")


def _row(bar: Bar, scale: Scale, *, top: float, most: int) -> Iterator[Mark]:
    words = top + _ROW / 2 + 4.5
    yield Label(
        x=scale.start - _GAP,
        y=words,
        text=fit(bar.name, most),
        anchor="end",
        whole=clean(bar.name),
    )
    so_far = 0
    for part in bar.parts:
        if not part.many:
            continue
        x, end = scale.at(so_far), scale.at(so_far + part.many)
        yield Rect(
            x=x,
            y=top + (_ROW - _BAR) / 2,
            # A hair between parts; and few of many are still to be seen.
            width=max(end - x - _HAIR, 1.0),
            height=_BAR,
            look=part.look,
            says=f"{clean(bar.name)}, {part.name}: {number(part.many)}",
        )
        so_far += part.many
    yield Label(x=scale.at(so_far) + 6, y=words, text=bar.words, look="value")


def _legend(bars: Sequence[Bar]) -> tuple[tuple[str, str], ...]:
    used = {part.look: part.name for bar in bars for part in bar.parts if part.many}
    return tuple(used.items())
