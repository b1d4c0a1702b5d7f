"""A figure over time as a line, with or without the area below it: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from mailer.report.plot.marks import Label, Mark, Path, Plot
from mailer.report.plot.scale import Scale, count_ticks, time_ticks
from mailer.report.plot.words import short_number

WIDTH, HEIGHT = 960.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 34.0, 12.0, 30.0


def line_plot(
    title: str,
    says: str,
    points: Sequence[tuple[datetime, int]],
    zone: ZoneInfo,
    *,
    area: bool = True,
) -> Plot:
    """At least two points in order of time; time as clocks in `zone` show it."""
    start, end = points[0][0], points[-1][0]
    ticks = count_ticks(0, max(many for _, many in points))
    across = Scale(low=start.timestamp(), high=end.timestamp(), start=_LEFT, end=WIDTH - _RIGHT)
    up = Scale(low=ticks[0], high=ticks[-1], start=HEIGHT - _BOTTOM, end=_TOP)
    drawn = tuple((across.at(at.timestamp()), up.at(many)) for at, many in points)
    floor = up.at(0)
    marks: list[Mark] = [*_up_axis(ticks, up), *_time_axis(start, end, zone, across, floor)]
    if area:
        below = ((drawn[-1][0], floor), (drawn[0][0], floor))
        marks.append(Path(points=(*drawn, *below), look="area", closed=True))
    marks.append(Path(points=drawn, look="line"))
    return Plot(title=title, says=says, width=WIDTH, height=HEIGHT, marks=tuple(marks))


def _up_axis(ticks: Sequence[int], up: Scale) -> Iterator[Mark]:
    for tick in ticks:
        y = up.at(tick)
        yield Path(points=((_LEFT, y), (WIDTH - _RIGHT, y)), look="grid" if tick else "axis")
        yield Label(x=_LEFT - 8, y=y + 4.5, text=short_number(tick), anchor="end", look="tick")


def _time_axis(
    start: datetime, end: datetime, zone: ZoneInfo, across: Scale, floor: float
) -> Iterator[Mark]:
    for moment, words in time_ticks(start, end, zone, most=8):
        x = across.at(moment.timestamp())
        yield Path(points=((x, floor), (x, floor + 5)), look="axis")
        yield Label(x=x, y=floor + 21, text=words, anchor="middle", look="tick")
