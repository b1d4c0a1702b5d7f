"""Limits hold in every window, whoever asks and whenever; trouble slows and is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.delivery.pace import (
    DEAF,
    GRANT,
    LATENESS,
    RECOVERY,
    SLOWEST,
    Limits,
    Meter,
    grant,
    recovered,
    slower,
    speed,
)

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
FRESH = Meter(next_at=NOW, hour_at=NOW, hour_spent=0, day_at=NOW, day_spent=0)


@settings(max_examples=200)
@given(
    rate=st.floats(0.2, 200),
    asks=st.lists(
        st.tuples(st.floats(0, 3), st.integers(1, 64), st.floats(0, 1)), min_size=1, max_size=60
    ),
)
def test_no_ten_seconds_see_more_than_the_limit(
    rate: float, asks: list[tuple[float, int, float]]
) -> None:
    """Slots are used as late as they may be, which is when windows fill up."""
    limits, meter, now = Limits(per_second=rate), FRESH, NOW
    flown: list[datetime] = []
    for pause, wanted, lateness in asks:
        now += timedelta(seconds=pause)
        given_, meter = grant(limits, meter, wanted=wanted, now=now)
        flown += [
            given_.start + n * given_.interval + lateness * LATENESS for n in range(given_.messages)
        ]
    flown.sort()
    window = timedelta(seconds=10)
    for first, at in enumerate(flown):
        within = sum(1 for other in flown[first:] if other < at + window)
        # One message may always be under way, however small the limit is.
        assert within <= max(rate * 10, 1) + 1


@given(wanted=st.integers(1, 1000), rate=st.floats(0.01, 500))
def test_a_grant_covers_a_second_at_most(wanted: int, rate: float) -> None:
    given_, _ = grant(Limits(per_second=rate), FRESH, wanted=wanted, now=NOW)
    assert 1 <= given_.messages <= max(1, rate)


def test_without_limits_everything_goes_at_once() -> None:
    given_, meter = grant(Limits(), FRESH, wanted=500, now=NOW)
    assert (given_.messages, given_.start, given_.interval) == (500, NOW, timedelta(0))
    assert meter.day_spent == 500


@pytest.mark.parametrize(
    ("limits", "span"),
    [(Limits(per_hour=10), timedelta(hours=1)), (Limits(per_day=10), timedelta(days=1))],
)
def test_hours_and_days_end_and_begin_anew(limits: Limits, span: timedelta) -> None:
    first, meter = grant(limits, FRESH, wanted=500, now=NOW)
    none, meter = grant(limits, meter, wanted=1, now=NOW + span / 2)
    again, _ = grant(limits, meter, wanted=500, now=NOW + span)
    assert (first.messages, none.messages, again.messages) == (10, 0, 10)
    assert none.start == NOW + span


@pytest.mark.parametrize(
    ("day", "expected"), [(1, 50), (2, 75), (3, 112), (6, 379), (30, 1000), (4000, 1000)]
)
def test_a_warm_up_grows_day_by_day(day: int, expected: int) -> None:
    limits = Limits(
        per_day=1000, warmup_start=date(2026, 12, 1), warmup_first=50, warmup_growth=1.5
    )
    assert limits.today(NOW + timedelta(days=day - 1)) == expected


def test_trouble_halves_the_speed_and_time_gives_it_back() -> None:
    slow = slower(FRESH, measured=40, now=NOW)
    assert speed(Limits(), slow, NOW) == 20
    again = slower(slow, measured=20, now=NOW + 2 * DEAF)
    assert again.rate is not None
    assert 9 < again.rate < 11
    assert recovered(slow, NOW + RECOVERY / 2) == 30
    assert recovered(slow, NOW + RECOVERY) is None
    assert speed(Limits(), slow, NOW + RECOVERY) is None


def test_a_storm_counts_once() -> None:
    slow = slower(FRESH, measured=40, now=NOW)
    assert slower(slow, measured=40, now=NOW + DEAF / 2) == slow


def test_it_never_stops_altogether() -> None:
    meter, now = FRESH, NOW
    for _ in range(50):
        meter = slower(meter, measured=1, now=now)
        now += 2 * DEAF
    assert meter.rate == SLOWEST


def test_slots_too_far_ahead_are_not_given_away() -> None:
    busy = replace(FRESH, next_at=NOW + timedelta(minutes=1))
    none, meter = grant(Limits(per_second=10), busy, wanted=5, now=NOW)
    assert none.messages == 0
    assert none.start == NOW + timedelta(minutes=1) - GRANT
    assert meter == busy
