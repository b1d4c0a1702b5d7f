"""When it is that somebody says, and when a newsletter's weekly slot comes next: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone

from mailer.campaign import local, times
from mailer.campaign.said import EXAMPLES, WEEKDAYS, Day, Said, read
from mailer.errors import TimeInvalid

_SLOT = 'write the weekly slot as "Mon 08:30" or "Mon 08:30 Europe/Berlin"'


def moment(
    text: str, timezone: str, *, now: datetime, later: bool | None = None
) -> tuple[datetime, str]:
    """The moment in UTC that somebody says, and the zone that it was said in.

    `timezone` is meant where they name none. Raises TimeInvalid, and ComesTwice unless `later`
    says which is meant.
    """
    said = read(text)
    if said.span is not None:
        return _later(now, said.span, text).astimezone(UTC), timezone
    where = said.timezone or timezone
    local = local_of(said, where, now=now)
    if said.offset is not None:
        return _at_offset(local, said.offset), where
    return times.resolve(local, where, said=text, later=later), where


def local_of(said: Said, where: str, *, now: datetime) -> datetime:
    """What clocks in a zone show then, without the zone; raises TimeInvalid."""
    try:
        there = now.astimezone(times.zone(where)).replace(tzinfo=None)
        day = said.day or Day()
        clock = said.clock
        if clock is None:
            if not day.same_clock:
                raise TimeInvalid(f"{said.text!r} says no time of day; write it as 9:00 or 17:30")
            clock = there.time().replace(microsecond=0)
        return _fitting(day, clock, there)
    except OverflowError as exc:
        raise TimeInvalid(f"{said.text!r} is out of range; {EXAMPLES}") from exc


def _fitting(day: Day, clock: time, there: datetime) -> datetime:
    """The first moment that fits, after what the clock shows unless the day is a certain one."""
    today = there.date()
    if day.on is not None:
        return datetime.combine(day.on, clock)
    if day.in_days is not None:
        return datetime.combine(today + timedelta(days=day.in_days), clock)
    if day.month is not None:
        dates = _each_year(today, day.month, day.of_month or 1)
    elif day.weekday is not None:
        first = (day.weekday - today.weekday()) % 7
        dates = (today + timedelta(days=first + 7 * week) for week in range(3))
    else:
        dates = (today + timedelta(days=more) for more in range(3))
    for each in dates:
        found = datetime.combine(each, clock)
        if found > there and not (day.strictly and each == today):
            return found
    raise OverflowError


def _each_year(today: date, month: int, of_month: int) -> Iterator[date]:
    for year in range(today.year, today.year + 9):
        try:
            yield date(year, month, of_month)
        except ValueError:  # the 29th of February
            continue


def _later(now: datetime, span: timedelta, text: str) -> datetime:
    try:
        return now + span
    except OverflowError as exc:
        raise TimeInvalid(f"{text!r} is out of range; {EXAMPLES}") from exc


def _at_offset(local: datetime, offset: timedelta) -> datetime:
    if not 1970 < local.year < 9999:
        raise TimeInvalid(f"{local:%Y-%m-%d}: the year is out of range")
    return local.replace(tzinfo=timezone(offset)).astimezone(UTC)


def read_slot(text: str) -> str:
    """A weekly slot, `Mon 08:30` perhaps with a zone, as it is kept; raises TimeInvalid."""
    said = read(text)
    day, clock = said.day or Day(), said.clock
    if day.weekday is None or day.strictly or clock is None or clock.second or said.offset:
        raise TimeInvalid(f"{text!r} is no weekly slot; {_SLOT}")
    return " ".join(
        [WEEKDAYS[day.weekday][:3].title(), f"{clock:%H:%M}", *filter(None, [said.timezone])]
    )


def next_of_slot(slot: str, zone: str, *, now: datetime) -> Iterator[tuple[datetime, str]]:
    """When a weekly slot comes, in UTC, and the zone it is kept in; `zone` where it names none.

    Nobody is there to be asked: over a skipped hour it is as much later, of two it is the first.
    """
    said = read(slot)
    where = said.timezone or zone
    at = local_of(said, where, now=now)
    while True:
        yield local.opening(at, where), where
        at += timedelta(days=7)
