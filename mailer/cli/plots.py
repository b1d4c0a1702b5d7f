"""Plots on a terminal; in a pipe there are none, the figures stand there as lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from mailer.cli.output import out
from mailer.report.plot.bars import Bar
from mailer.report.plot.blocks import area_rows, bar_cells, resampled
from mailer.report.plot.scale import count_ticks, time_ticks
from mailer.report.plot.words import clean, fit, number, width_of

_STYLES = {
    **dict.fromkeys(("sent", "delivered"), "green"),
    **dict.fromkeys(("failed", "hard", "bounced"), "red"),
    **dict.fromkeys(("unknown", "soft", "deferred"), "yellow"),
    **dict.fromkeys(("queued", "sending", "human"), "blue"),
    **dict.fromkeys(("complained", "unsubscribed"), "magenta"),
    **dict.fromkeys(("skipped", "cancelled", "machine"), "bright_black"),
    "c1": "blue",
    "c2": "green",
    "c3": "cyan",
    "c4": "yellow",
    "c5": "magenta",
}
_ROWS = 8
_NAME, _BAR = 34, 40


def bar_text(bar: Bar, highest: int, columns: int) -> Text:
    """A bar in colours."""
    cells = bar_cells(bar.parts, highest, columns, ascii_only=out.options.ascii_only)
    return Text.assemble(*((letters, _STYLES.get(look, "")) for look, letters in cells))


def show_bars(title: str, bars: Sequence[Bar], *, legend: bool = False) -> None:
    """Bars below a title, with what their colours mean."""
    out.print()
    out.print(title, style="bold", markup=False)
    columns = min(_BAR, max(out.width - _NAME - 22, 8))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="left")
    highest = max((bar.many for bar in bars), default=0)
    for bar in bars:
        table.add_row(Text(fit(bar.name, _NAME)), bar_text(bar, highest, columns), Text(bar.words))
    out.print(table)
    if legend:
        show_legend(bars)


def show_legend(bars: Sequence[Bar]) -> None:
    """What the colours of bars mean, in one line."""
    key = "#" if out.options.ascii_only else "■"
    used = {part.look: part.name for bar in bars for part in bar.parts if part.many}
    if used:
        words = [
            ((key, _STYLES.get(look, "")), f" {clean(name)}   ") for look, name in used.items()
        ]
        out.print(Text.assemble(*(piece for pair in words for piece in pair)))


def show_area(
    title: str, points: Sequence[tuple[datetime, int]], zone: ZoneInfo, *, note: str = ""
) -> None:
    """A figure over time, with both its axes."""
    highest = count_ticks(0, max(many for _, many in points))[-1]
    left = width_of(number(highest))
    columns = max(min(out.width - left - 3, 72), 10)
    lines = area_rows(resampled(points, columns), highest, _ROWS, ascii_only=out.options.ascii_only)
    out.print()
    out.print(title, style="bold", markup=False)
    edge, corner, floor = ("|", "+", "-") if out.options.ascii_only else ("│", "└", "─")
    named = {0: number(highest), _ROWS // 2: number(highest // 2) if highest % 2 == 0 else ""}
    for row, line in enumerate(lines):
        out.print(Text.assemble(f"{named.get(row, ''):>{left}} {edge}", (line, "blue")))
    out.print(Text(f"{'0':>{left}} {corner}{floor * columns}"))
    out.print(Text(" " * (left + 2) + _time_line(points, zone, columns)))
    if note:
        show_note(note)


def _time_line(points: Sequence[tuple[datetime, int]], zone: ZoneInfo, columns: int) -> str:
    """As many round moments as there is room for, each beginning where it belongs."""
    start, end = points[0][0], points[-1][0]
    span = max(end - start, timedelta(seconds=1))
    line = ""
    for moment, words in time_ticks(start, end, zone, most=max(columns // 12, 1)):
        place = round((moment - start) / span * columns)
        if place + len(words) <= columns and (not line or place > len(line) + 1):
            line = line.ljust(place) + words
    return line


def show_note(words: str) -> None:
    """A sentence that may take more than one line; in a pipe it does not."""
    out.print(words, markup=False, soft_wrap=not out.is_terminal)


def show_columns(headings: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """A table whose cells may be bars; numbers stand to the right."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, heading in enumerate(headings):
        right = bool(place) and all(isinstance(row[place], str) for row in rows)
        table.add_column(heading, justify="right" if right else "left", no_wrap=place > 0)
    for row in rows:
        table.add_row(*(Text(clean(cell)) if isinstance(cell, str) else cell for cell in row))
    out.print(table)
