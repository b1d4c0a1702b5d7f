"""Weeks and months as people of one place count them: pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class By(StrEnum):
    """How long a period is."""

    #: From Monday to Sunday.
    WEEK = "week"
    #: From the first to the last of a month.
    MONTH = "month"


def bounds_of(now: datetime, by: By, *, last: int, zone: ZoneInfo) -> tuple[datetime, ...]:
    """When each of the `last` periods up to now began, and when the newest ends, in UTC."""
    begun = _start(now.astimezone(zone).date(), by)
    days = [_moved(begun, by, steps) for steps in range(1 - last, 2)]
    return tuple(
        datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in days
    )


def _start(day: date, by: By) -> date:
    return day.replace(day=1) if by is By.MONTH else day - timedelta(days=day.weekday())


def _moved(begun: date, by: By, steps: int) -> date:
    if by is By.WEEK:
        return begun + timedelta(weeks=steps)
    months = begun.year * 12 + begun.month - 1 + steps
    return date(months // 12, months % 12 + 1, 1)
