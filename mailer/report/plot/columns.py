"""Columns that stand on a line and hang below it, in parts: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailer.report.plot.bars import COLUMN, Part
from mailer.report.plot.marks import Label, Mark, Path, Plot, Rect
from mailer.report.plot.scale import Scale, count_ticks
from mailer.report.plot.words import fit, number, short_number, width_of

WIDTH, HEIGHT = 960.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 12.0, 12.0, 30.0
#: How much of its place a column takes, and how wide it may be.
_FULL, _WIDEST = 0.72, 72.0


@dataclass(frozen=True, kw_only=True)
class Pillar:
    """What stands at one place: parts above the line and parts below it."""

    name: str
    above: tuple[Part, ...] = ()
    below: tuple[Part, ...] = ()


def column_plot(title: str, says: str, pillars: Sequence[Pillar]) -> Plot:
    """Columns side by side on one scale, in order, with as many names as there is room for."""
    highest = max((_sum(pillar.above) for pillar in pillars), default=0)
    lowest = -max((_sum(pillar.below) for pillar in pillars), default=0)
    ticks = count_ticks(lowest, highest)
    up = Scale(low=ticks[0], high=ticks[-1], start=HEIGHT - _BOTTOM, end=_TOP)
    room = (WIDTH - _LEFT - _RIGHT) / max(len(pillars), 1)
    marks: list[Mark] = [*_axis(ticks, up)]
    for place, pillar in enumerate(pillars):
        marks += _pillar(pillar, up, x=_LEFT + room * place, room=room)
    marks += _names([pillar.name for pillar in pillars], room)
    return Plot(
        title=title,
        says=says,
        width=WIDTH,
        height=HEIGHT,
        marks=tuple(marks),
        legend=_legend(pillars),
    )


def _sum(parts: Sequence[Part]) -> int:
    return sum(part.many for part in parts)


def _axis(ticks: Sequence[int], up: Scale) -> Iterator[Mark]:
    for tick in ticks:
        y = up.at(tick)
        yield Path(points=((_LEFT, y), (WIDTH - _RIGHT, y)), look="grid" if tick else "axis")
        # What hangs below the line is counted as well.
        words = short_number(tick)
        yield Label(x=_LEFT - 8, y=y + 4.5, text=words, anchor="end", look="tick")


def _pillar(pillar: Pillar, up: Scale, *, x: float, room: float) -> Iterator[Mark]:
    width = min(room * _FULL, _WIDEST)
    for parts, sign in ((pillar.above, 1), (pillar.below, -1)):
        so_far = 0
        for part in parts:
            if not part.many:
                continue
            ends = (up.at(sign * so_far), up.at(sign * (so_far + part.many)))
            yield Rect(
                x=x + (room - width) / 2,
                y=min(ends),
                width=width,
                height=max(abs(ends[0] - ends[1]), 1.0),
                look=part.look,
                says=f"{pillar.name}, {part.name}: {number(part.many)}",
            )
            so_far += part.many


def _names(names: Sequence[str], room: float) -> Iterator[Mark]:
    """Every name, or every second, third, … so that none lies on another; the last one always."""
    longest = max((width_of(fit(name, 16)) for name in names), default=0) * COLUMN + 12
    every = max(1, -(-int(longest) // max(int(room), 1)))
    for place, name in enumerate(names):
        if (len(names) - 1 - place) % every == 0:
            # The last one would reach beyond the edge.
            x = min(_LEFT + room * (place + 0.5), WIDTH - longest / 2)
            yield Label(x=x, y=HEIGHT - 9, text=fit(name, 16), anchor="middle", look="tick")


def _legend(pillars: Sequence[Pillar]) -> tuple[tuple[str, str], ...]:
    used = {
        part.look: part.name
        for pillar in pillars
        for part in (*pillar.above, *pillar.below)
        if part.many
    }
    return tuple(used.items())
