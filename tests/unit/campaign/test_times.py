"""Local times that exist once, twice, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailer.campaign.times import ComesTwice, moment
from mailer.errors import TimeInvalid


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-12-01 09:00", "Asia/Tokyo", utc(2026, 12, 1, 0, 0)),
        ("2026-12-01T09:00", "Europe/Berlin", utc(2026, 12, 1, 8, 0)),
        ("2026-12-01 09:00:30", "UTC", utc(2026, 12, 1, 9, 0, 30)),
        ("2026-12-01T09:00+05:30", "UTC", utc(2026, 12, 1, 3, 30)),
        ("2026-12-01T09:00Z", "Asia/Tokyo", utc(2026, 12, 1, 9, 0)),
        ("2026-03-29 01:59", "Europe/Berlin", utc(2026, 3, 29, 0, 59)),
        ("2026-03-29 03:00", "Europe/Berlin", utc(2026, 3, 29, 1, 0)),
    ],
)
def test_a_time_that_exists_once(text: str, zone: str, expected: datetime) -> None:
    assert moment(text, zone) == expected


@pytest.mark.parametrize(
    ("text", "zone", "following"),
    [
        ("2026-03-29 02:30", "Europe/Berlin", "03:30"),
        ("2026-03-08 02:00", "America/New_York", "03:00"),
        ("2026-10-04 02:15", "Australia/Lord_Howe", "02:45"),
    ],
)
def test_a_time_that_is_skipped(text: str, zone: str, following: str) -> None:
    with pytest.raises(TimeInvalid, match=f"does not exist in {zone}.*{following}"):
        moment(text, zone)


def test_a_time_that_comes_twice() -> None:
    with pytest.raises(ComesTwice, match="--earlier or --later") as caught:
        moment("2026-10-25 02:30", "Europe/Berlin")
    assert caught.value.first == utc(2026, 10, 25, 0, 30)
    assert caught.value.second == utc(2026, 10, 25, 1, 30)
    assert moment("2026-10-25 02:30", "Europe/Berlin", later=False) == caught.value.first
    assert moment("2026-10-25 02:30", "Europe/Berlin", later=True) == caught.value.second


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01 09:00", "2026-02-30 09:00", "\0"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(TimeInvalid, match="write it as"):
        moment(text, "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "A\0B"])
def test_what_is_no_zone(zone: str) -> None:
    with pytest.raises(TimeInvalid, match="no time zone"):
        moment("2026-12-01 09:00", zone)
