"""The fuse blows on bad figures, of the whole and of a lane, and not on bad luck."""

from __future__ import annotations

import pytest

from mailer.delivery.fuse.judge import Figure, Tally, shares, trips
from mailer.settings import FuseSettings

LIMITS = FuseSettings(hard_bounces=0.05, complaints=0.003, refusals=0.1, least=100)


def blown_by(*tallies: Tally, blown: dict[str, dict[str, float]] | None = None) -> list[str]:
    return [f"{trip.lane or '*'}:{trip.figure}" for trip in trips(tallies, LIMITS, blown=blown)]


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        (Tally(lane="a", tried=1000), []),
        (Tally(lane="a", tried=1000, hard=50), []),
        (Tally(lane="a", tried=1000, hard=51), ["*:hard bounces", "a:hard bounces"]),
        (Tally(lane="a", tried=1000, complained=3), []),
        (Tally(lane="a", tried=1000, complained=4), ["*:complaints", "a:complaints"]),
        (Tally(lane="a", tried=1000, refused=101), ["*:refusals", "a:refusals"]),
        # One complaint of two hundred is bad luck; a handful of copies says nothing.
        (Tally(lane="a", tried=200, complained=2), []),
        (Tally(lane="a", tried=99, hard=99), []),
    ],
    ids=lambda value: str(value) if isinstance(value, Tally) else "",
)
def test_thresholds(tally: Tally, expected: list[str]) -> None:
    assert blown_by(tally) == expected


def test_one_bad_lane_blows_where_the_whole_looks_well() -> None:
    assert blown_by(
        Tally(lane="gmail", tried=10_000), Tally(lane="yahoo", tried=200, refused=60)
    ) == ["yahoo:refusals"]


def test_many_small_lanes_blow_as_a_whole() -> None:
    lanes = [Tally(lane=f"l{n}", tried=50, hard=10) for n in range(10)]
    assert blown_by(*lanes) == ["*:hard bounces"]


def test_what_a_person_has_seen_counts_only_once_it_gets_worse() -> None:
    seen = Tally(lane="a", tried=1000, hard=80)
    blown = shares([seen])
    assert blown_by(seen, blown=blown) == []
    assert blown_by(Tally(lane="a", tried=2000, hard=190), blown=blown) == []
    assert blown_by(Tally(lane="a", tried=2000, hard=202), blown=blown)
    # Another figure is news.
    worse = Tally(lane="a", tried=1000, hard=80, complained=20)
    assert blown_by(worse, blown=blown) == ["*:complaints", "a:complaints"]


def test_the_trip_tells_its_figures() -> None:
    [whole, lane] = trips([Tally(lane="gmail", tried=400, hard=40)], LIMITS)
    assert str(lane) == ("40 hard bounces among 400 copies in lane gmail (10.00%, threshold 5.00%)")
    assert whole.figure is Figure.HARD_BOUNCES
    assert "lane" not in str(whole)
