"""Where axes get their ticks: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from mailer.report.course.buckets import width_for

_STEPS = (1, 2, 5)
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A line from `low` to `high`, drawn from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies; all is at the start where there is but one."""
        span = (self.high - self.low) or 1
        return self.start + (value - self.low) / span * (self.end - self.start)


def step_for(span: int, *, most: int = 5) -> int:
    """The finest of 1, 2, 5, 10, 20, 50, … of which at most `most` reach over the span."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power * most >= span:
                return step * power
        power *= 10


def count_ticks(low: int, high: int, *, most: int = 5) -> tuple[int, ...]:
    """Whole numbers for an axis that holds `low` to `high` and 0; at least 0 and 1."""
    low, high = min(low, 0), max(high, 0)
    step = step_for(max(high - low, 1), most=most)
    first, last = low // step, max(-(-high // step), 1 if low == 0 else 0)
    return tuple(step * tick for tick in range(first, last + 1))


def time_ticks(
    start: datetime, end: datetime, zone: ZoneInfo, *, most: int = 6
) -> tuple[tuple[datetime, str], ...]:
    """Moments that clocks there show as round, and how they are written."""
    step = width_for(end - start, most=most)
    if step >= _DAY:
        return _day_ticks(start, end, zone, step.days)
    form = "%H:%M" if step >= timedelta(minutes=1) else "%H:%M:%S"
    offset = start.astimezone(zone).utcoffset() or timedelta()
    first = start + (_EPOCH - offset - start) % step
    count = (end - first) // step + 1
    ticks = (first + step * tick for tick in range(count))
    return tuple((tick, f"{tick.astimezone(zone):{form}}") for tick in ticks)


def _day_ticks(
    start: datetime, end: datetime, zone: ZoneInfo, days: int
) -> tuple[tuple[datetime, str], ...]:
    """Midnights, so many days apart whatever clocks do between them; weeks begin on Mondays."""
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    monday = date(1970, 1, 5)
    day = first + timedelta(days=(monday - first).days % days)
    year = " %Y" if first.year != last.year else ""
    ticks = []
    while day <= last:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        if start <= midnight <= end:
            ticks.append((midnight, f"{day.day} {day.strftime('%b' + year)}"))
        day += timedelta(days=days)
    return tuple(ticks)
