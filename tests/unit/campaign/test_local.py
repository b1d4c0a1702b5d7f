"""When people's own clocks show a time: around the world, and as clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from mailer.campaign.local import first_day, opening, openings, turns
from mailer.errors import TimeInvalid

NINE = datetime.fromisoformat("2026-12-01 09:00")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("local_at", "zone", "expected"),
    [
        ("2026-12-01 09:00", "UTC", utc(2026, 12, 1, 9)),
        ("2026-12-01 09:00", "Asia/Tokyo", utc(2026, 12, 1, 0)),
        ("2026-12-01 09:00", "Asia/Kathmandu", utc(2026, 12, 1, 3, 15)),
        # The first and the last zone of a day.
        ("2026-12-01 09:00", "Pacific/Kiritimati", utc(2026, 11, 30, 19)),
        ("2026-12-01 09:00", "Etc/GMT+12", utc(2026, 12, 1, 21)),
        # Clocks go forward over it: as much later.
        ("2026-03-29 02:30", "Europe/Berlin", utc(2026, 3, 29, 1, 30)),
        ("2026-03-08 02:00", "America/New_York", utc(2026, 3, 8, 7)),
        ("2026-10-04 02:15", "Australia/Lord_Howe", utc(2026, 10, 3, 15, 45)),
        # A whole day that never was.
        ("2011-12-30 09:00", "Pacific/Apia", utc(2011, 12, 30, 19)),
        # Clocks go back over it: the first time.
        ("2026-10-25 02:30", "Europe/Berlin", utc(2026, 10, 25, 0, 30)),
        ("2026-11-01 01:30", "America/New_York", utc(2026, 11, 1, 5, 30)),
    ],
)
def test_the_moment_in_a_zone(local_at: str, zone: str, expected: datetime) -> None:
    assert opening(local_at, zone) == expected


HOSTILE = ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "A\0B", "x" * 300, "Europe"]


@pytest.mark.parametrize("zone", [None, *HOSTILE])
def test_who_has_no_zone_has_the_newsletters(zone: str | None) -> None:
    found = openings("2026-12-01 09:00", [zone, "Asia/Tokyo"], fallback="Europe/Berlin")
    assert found == {zone: utc(2026, 12, 1, 8), "Asia/Tokyo": utc(2026, 12, 1, 0)}


def test_turns_are_told_first_to_last_with_the_unknown_together() -> None:
    people = {"America/New_York": 3, "Asia/Tokyo": 2, None: 4, "Mars/Base": 1, "Europe/Berlin": 5}
    found = turns(NINE, people, fallback="Europe/Berlin")
    assert [(turn.timezone, turn.people, turn.known) for turn in found] == [
        ("Asia/Tokyo", 2, True),
        ("Europe/Berlin", 5, False),
        ("Europe/Berlin", 5, True),
        ("America/New_York", 3, True),
    ]
    assert [turn.opens_at.hour for turn in found] == [0, 8, 8, 14]


def test_with_nobody_there_the_newsletters_zone_counts() -> None:
    [only] = turns(NINE, {}, fallback="Asia/Tokyo")
    assert (only.opens_at, only.people) == (utc(2026, 12, 1), 0)


def test_a_year_out_of_range_is_refused() -> None:
    for year in (1, 1969, 9999):
        with pytest.raises(TimeInvalid, match="out of range"):
            opening(NINE.replace(year=year), "Asia/Tokyo")


@pytest.mark.parametrize(
    ("now", "zones", "day"),
    [
        (utc(2026, 12, 1, 7), ["Europe/Berlin"], date(2026, 12, 1)),
        (utc(2026, 12, 1, 8), ["Europe/Berlin"], date(2026, 12, 2)),
        # In Tokyo it is over: the day after is the first that is whole.
        (utc(2026, 12, 1, 7), ["Europe/Berlin", "Asia/Tokyo"], date(2026, 12, 2)),
        # West of UTC a day begins when it is the next one there.
        (utc(2026, 12, 2, 1), ["America/Los_Angeles"], date(2026, 12, 2)),
        (utc(2026, 12, 2, 16), ["Pacific/Pago_Pago"], date(2026, 12, 2)),
        (utc(2026, 12, 1, 12), ["Pacific/Kiritimati", "Etc/GMT+12"], date(2026, 12, 2)),
        (utc(2026, 12, 1, 19), ["Pacific/Kiritimati", "Etc/GMT+12"], date(2026, 12, 3)),
    ],
)
def test_the_first_day_that_is_to_come_for_everybody(
    now: datetime, zones: list[str], day: date
) -> None:
    people = dict.fromkeys(zones, 1)
    assert first_day(time(9), people, fallback=zones[0], now=now) == day


def test_no_day_takes_longer_than_the_world_is_round() -> None:
    everywhere = {"Pacific/Kiritimati": 1, "Etc/GMT+12": 1}
    found = turns(NINE, everywhere, fallback="UTC")
    assert found[-1].opens_at - found[0].opens_at == timedelta(hours=26)
