"""Plots out of letters, for terminals: pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from mailer.report.plot.bars import Part

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = " ▁▂▃▄▅▆▇█"


def bar_cells(
    parts: Sequence[Part], highest: int, columns: int, *, ascii_only: bool = False
) -> list[tuple[str, str]]:
    """A bar in so many columns where `highest` fills them all: (look, letters) by part.

    Whatever is there is to be seen, however little of all it is.
    """
    cells: list[tuple[str, str]] = []
    so_far = drawn = 0
    for part in parts:
        if not part.many:
            continue
        so_far += part.many
        # In eighths of a column; each part but the last ends with a whole one.
        end = max(round(so_far / max(highest, 1) * columns * 8), drawn + 1)
        last = so_far == sum(one.many for one in parts)
        if ascii_only or not last:
            end = max(-(-end // 8) if end < 8 else round(end / 8), drawn // 8 + 1) * 8
        whole, rest = divmod(end - drawn, 8)
        full = "#" if ascii_only else "█"
        cells.append((part.look, full * whole + (_EIGHTHS[rest] if rest else "")))
        drawn = end
    return cells


def resampled(points: Sequence[tuple[datetime, int]], columns: int) -> list[float]:
    """What a line through the points shows at the end of each of so many equal pieces of time."""
    times = [at.timestamp() for at, _ in points]
    span = times[-1] - times[0]
    return [
        _at(times, points, times[0] + span * piece / columns) for piece in range(1, columns + 1)
    ]


def _at(times: Sequence[float], points: Sequence[tuple[datetime, int]], time: float) -> float:
    after = min(bisect_right(times, time), len(times) - 1)
    before = after - 1
    width = times[after] - times[before]
    part = min(max((time - times[before]) / width, 0), 1) if width else 1
    return points[before][1] + (points[after][1] - points[before][1]) * part


def area_rows(
    values: Sequence[float], highest: int, rows: int, *, ascii_only: bool = False
) -> list[str]:
    """An area in so many lines of text, the top one first; `highest` fills all of them."""
    levels = [round(value / max(highest, 1) * rows * 8) for value in values]
    return [
        "".join(_letter(level - row * 8, ascii_only) for level in levels).rstrip()
        for row in reversed(range(rows))
    ]


def _letter(level: int, ascii_only: bool) -> str:
    if ascii_only:
        return "#" if level >= 4 else " "
    return _LEVELS[min(max(level, 0), 8)]
