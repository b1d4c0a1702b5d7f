"""Time cut into pieces: courses, weeks and months, ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.report.course import buckets
from mailer.report.course.buckets import width_for
from mailer.report.growth import periods
from mailer.report.growth.periods import By
from mailer.report.plot.scale import time_ticks

NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.datetimes(
    min_value=datetime(2001, 1, 1),  # noqa: DTZ001 - the zone comes apart
    max_value=datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    ("span", "width"),
    [
        (timedelta(0), timedelta(seconds=1)),
        (timedelta(seconds=60), timedelta(seconds=1)),
        (timedelta(seconds=61), timedelta(seconds=2)),
        (timedelta(minutes=10), timedelta(seconds=10)),
        (timedelta(hours=48), timedelta(hours=1)),
        (timedelta(days=365), timedelta(days=7)),
        (timedelta(days=28 * 61), timedelta(days=56)),
    ],
    ids=str,
)
def test_the_finest_width_that_is_enough(span: timedelta, width: timedelta) -> None:
    assert width_for(span) == width


@settings(max_examples=40)
@given(first=MOMENTS, span=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=20000)))
def test_pieces_hold_first_and_last(first: datetime, span: timedelta) -> None:
    bounds = buckets.bounds_of(first, first + span)
    widths = {after - before for before, after in pairwise(bounds)}
    assert len(widths) == 1
    assert bounds[0] <= first < bounds[1]
    assert bounds[-2] <= first + span < bounds[-1]
    assert 2 <= len(bounds) <= buckets.MOST + 1


def test_pieces_begin_where_clocks_are_round() -> None:
    first = datetime(2026, 12, 1, 9, 0, 7, tzinfo=UTC)
    bounds = buckets.bounds_of(first, first + timedelta(minutes=9))
    assert bounds[:2] == (NINE, NINE + timedelta(seconds=10))


def pieces(*told: tuple[int, int]) -> list[tuple[int, datetime]]:
    """How many copies until which minute."""
    return [(many, NINE + timedelta(minutes=minute)) for many, minute in told]


def test_a_course_is_told_until_nearly_all_is_over() -> None:
    end = buckets.end_of(NINE, NINE + timedelta(hours=20), pieces((600, 4), (380, 8), (20, 1200)))
    assert end == NINE + timedelta(minutes=10)


@pytest.mark.parametrize(
    "told",
    [[(50, minute) for minute in range(20)], [(7, 19)], [(90, 1), (10, 19)]],
    ids=["even", "late", "too many"],
)
def test_a_course_that_goes_on_is_told_to_its_end(told: list[tuple[int, int]]) -> None:
    last = NINE + timedelta(minutes=19)
    assert buckets.end_of(NINE, last, pieces(*told)) == last


def test_a_course_of_one_moment() -> None:
    assert buckets.end_of(NINE, NINE, [(1, NINE)]) == NINE


def test_growing_pieces_are_seconds_first_and_reach_over_years() -> None:
    bounds = buckets.growing(NINE)
    assert bounds[0] == NINE + timedelta(seconds=1)
    assert bounds[-1] > NINE + timedelta(days=10 * 365)
    assert all(
        after - NINE <= (before - NINE) * 1.3 + timedelta(microseconds=2)
        for before, after in pairwise(bounds)
    )


def test_weeks_begin_on_mondays_at_midnight_there() -> None:
    # A Sunday evening in Berlin; clocks went back in the week before.
    now = datetime(2026, 11, 1, 22, 30, tzinfo=UTC)
    bounds = periods.bounds_of(now, By.WEEK, last=2, zone=BERLIN)
    assert [bound.astimezone(BERLIN).isoformat() for bound in bounds] == [
        "2026-10-19T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
        "2026-11-02T00:00:00+01:00",
    ]


def test_the_same_moment_is_monday_elsewhere() -> None:
    now = datetime(2026, 11, 1, 22, 30, tzinfo=UTC)
    bounds = periods.bounds_of(now, By.WEEK, last=1, zone=ZoneInfo("Asia/Tokyo"))
    assert bounds[0] == datetime(2026, 11, 1, 15, tzinfo=UTC)


def test_months_go_back_over_the_turn_of_the_year() -> None:
    now = datetime(2027, 1, 31, 12, tzinfo=UTC)
    bounds = periods.bounds_of(now, By.MONTH, last=3, zone=ZoneInfo("UTC"))
    assert [f"{bound:%Y-%m-%d}" for bound in bounds] == [
        "2026-11-01",
        "2026-12-01",
        "2027-01-01",
        "2027-02-01",
    ]


@settings(max_examples=40)
@given(now=MOMENTS, by=st.sampled_from(By), last=st.integers(min_value=1, max_value=520))
def test_now_lies_in_the_newest_period(now: datetime, by: By, last: int) -> None:
    bounds = periods.bounds_of(now, by, last=last, zone=BERLIN)
    assert len(bounds) == last + 1
    assert bounds[-2] <= now < bounds[-1]
    assert all(before < after for before, after in pairwise(bounds))


def test_ticks_are_round_where_the_reader_is() -> None:
    start = datetime(2026, 12, 1, 8, 3, tzinfo=UTC)
    ticks = time_ticks(start, start + timedelta(hours=2), ZoneInfo("Asia/Kolkata"))
    assert [words for _, words in ticks] == ["14:00", "14:30", "15:00", "15:30"]


def test_ticks_of_weeks_are_mondays_across_a_change_of_clocks() -> None:
    start = datetime(2026, 9, 27, 22, tzinfo=UTC)
    ticks = time_ticks(start, start + timedelta(days=80), BERLIN)
    assert [words for _, words in ticks] == [
        *("28 Sep", "12 Oct", "26 Oct", "9 Nov", "23 Nov", "7 Dec"),
    ]


def test_ticks_name_the_year_where_there_are_two() -> None:
    start = datetime(2026, 12, 30, tzinfo=UTC)
    ticks = time_ticks(start, start + timedelta(days=4), ZoneInfo("UTC"))
    assert ticks[0][1] == "30 Dec 2026"
    assert ticks[-1][1] == "3 Jan 2027"


@settings(max_examples=40)
@given(start=MOMENTS, span=st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_ticks_lie_within_and_are_few(start: datetime, span: timedelta) -> None:
    ticks = time_ticks(start, start + span, BERLIN, most=6)
    assert len(ticks) <= 8
    assert all(start <= moment <= start + span for moment, _ in ticks)
