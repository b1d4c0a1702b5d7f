"""Where bars, columns and lines lie, and what is written beside them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.report.plot import words
from mailer.report.plot.bars import Bar, Part, bar_plot
from mailer.report.plot.blocks import area_rows, bar_cells, resampled
from mailer.report.plot.columns import Pillar, column_plot
from mailer.report.plot.lines import line_plot
from mailer.report.plot.marks import Label, Path, Plot, Rect
from mailer.report.plot.scale import Scale, count_ticks

NINE = datetime(2026, 12, 1, 9, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


def rects(plot: Plot) -> list[Rect]:
    return [mark for mark in plot.marks if isinstance(mark, Rect)]


def labels(plot: Plot, look: str) -> list[Label]:
    return [mark for mark in plot.marks if isinstance(mark, Label) and mark.look == look]


def part(many: int, look: str = "sent") -> Part:
    return Part(look=look, name=look, many=many)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 0, (0, 1)),
        (0, 1, (0, 1)),
        (0, 7, (0, 2, 4, 6, 8)),
        (0, 1_000_000, (0, 200_000, 400_000, 600_000, 800_000, 1_000_000)),
        (-30, 90, (-50, 0, 50, 100)),
        (-3, 0, (-3, -2, -1, 0)),
    ],
)
def test_ticks_are_whole_and_hold_all(low: int, high: int, ticks: tuple[int, ...]) -> None:
    assert count_ticks(low, high) == ticks


@settings(max_examples=40)
@given(low=st.integers(-(10**9), 0), high=st.integers(0, 10**9))
def test_ticks_are_few_and_hold_zero(low: int, high: int) -> None:
    ticks = count_ticks(low, high)
    assert 0 in ticks
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 8


def test_a_scale_may_go_upwards() -> None:
    scale = Scale(low=-50, high=150, start=200, end=0)
    assert [scale.at(value) for value in (-50, 0, 150)] == [200, 150, 0]


def test_bars_are_as_long_as_what_they_count() -> None:
    plot = bar_plot("t", "s", [Bar(name="a", parts=(part(100),)), Bar(name="b", parts=(part(50),))])
    first, second = rects(plot)
    assert first.width + 0.75 == pytest.approx(2 * (second.width + 0.75))
    assert second.y - first.y == 30
    assert [label.text for label in labels(plot, "value")] == ["100", "50"]


def test_parts_of_a_bar_follow_each_other() -> None:
    bar = Bar(name="a", parts=(part(60), part(0, "unknown"), part(40, "failed")))
    plot = bar_plot("t", "s", [bar], legend=True)
    sent, failed = rects(plot)
    assert (sent.look, failed.look) == ("sent", "failed")
    assert failed.x == pytest.approx(sent.x + sent.width + 0.75)
    assert sent.says == "a, sent: 60"
    assert plot.legend == (("sent", "sent"), ("failed", "failed"))


def test_one_of_a_million_is_still_to_be_seen() -> None:
    bar = Bar(name="a", parts=(part(1_000_000), part(1, "failed")))
    assert rects(bar_plot("t", "s", [bar]))[1].width == 1


def test_bars_of_nothing_have_axes_and_no_length() -> None:
    plot = bar_plot("t", "s", [Bar(name="a", parts=(part(0),))])
    assert rects(plot) == []
    assert [label.text for label in labels(plot, "tick")] == ["0", "1"]


@settings(max_examples=40)
@given(
    many=st.lists(st.lists(st.integers(0, 10**7), max_size=4), max_size=20),
    name=st.text(max_size=60),
    wide=st.booleans(),
)
def test_bars_stay_within_their_picture(many: list[list[int]], name: str, wide: bool) -> None:
    bars = [Bar(name=name, parts=tuple(part(one) for one in row)) for row in many]
    plot = bar_plot("t", "s", bars, wide=wide)
    for rect in rects(plot):
        assert rect.x >= 0
        assert rect.x + rect.width <= plot.width
        assert rect.y + rect.height <= plot.height


def test_names_too_long_are_cut_and_told_whole() -> None:
    plot = bar_plot("t", "s", [Bar(name="x" * 80, parts=(part(1),))])
    (name,) = labels(plot, "label")
    assert name.text == "x" * 19 + "…"
    assert name.whole == "x" * 80


def test_columns_stand_on_the_line_and_hang_below_it() -> None:
    pillar = Pillar(name="a", above=(part(30), part(10)), below=(part(20, "bounced"),))
    first, second, below = rects(column_plot("t", "s", [pillar]))
    assert first.height == pytest.approx(3 * second.height)
    assert second.y + second.height == pytest.approx(first.y)
    assert below.y == pytest.approx(first.y + first.height)
    assert below.height == pytest.approx(2 * second.height)


def test_columns_carry_no_more_names_than_there_is_room_for() -> None:
    names = [f"2026-01-{day:02}" for day in range(1, 31)]
    plot = column_plot("t", "s", [Pillar(name=name, above=(part(1),)) for name in names])
    shown = [label for label in labels(plot, "tick") if label.text.startswith("2026")]
    assert shown[-1].text == "2026-01-30"
    assert 5 < len(shown) < 12
    assert all(b.x - a.x >= 10 * 7.2 for a, b in pairwise(shown))
    assert shown[-1].x + 5 * 7.2 <= plot.width


def test_a_line_goes_through_its_points() -> None:
    points = [(NINE + timedelta(minutes=minute), 50 * minute) for minute in range(3)]
    plot = line_plot("t", "s", points, UTC_ZONE)
    lines = [mark for mark in plot.marks if isinstance(mark, Path)]
    line = next(mark for mark in lines if mark.look == "line").points
    area = next(mark for mark in lines if mark.look == "area")
    assert line[1] == ((line[0][0] + line[2][0]) / 2, (line[0][1] + line[2][1]) / 2)
    assert area.closed
    assert area.points[:3] == line
    assert {y for _, y in area.points[3:]} == {line[0][1]}


def test_a_line_of_nothing_lies_on_the_floor() -> None:
    points = [(NINE, 0), (NINE + timedelta(seconds=1), 0)]
    line = next(m for m in line_plot("t", "s", points, UTC_ZONE).marks if m.look == "line")
    assert isinstance(line, Path)
    assert line.points[0][1] == line.points[1][1]


def test_a_line_of_a_single_moment() -> None:
    plot = line_plot("t", "s", [(NINE, 5), (NINE, 5)], UTC_ZONE)
    line = next(mark for mark in plot.marks if mark.look == "line")
    assert isinstance(line, Path)
    assert line.points[0] == line.points[1]


# --- on a terminal ------------------------------------------------------------------------------


def test_bars_of_letters_are_exact_to_an_eighth() -> None:
    assert bar_cells([part(100)], 100, 10) == [("sent", "█" * 10)]
    assert bar_cells([part(55)], 100, 10) == [("sent", "█" * 5 + "▌")]
    assert bar_cells([part(0)], 100, 10) == []
    assert bar_cells([part(1)], 1_000_000, 10) == [("sent", "▏")]


def test_bars_of_letters_in_parts() -> None:
    cells = bar_cells([part(50), part(25, "failed")], 100, 8)
    assert cells == [("sent", "████"), ("failed", "██")]
    assert bar_cells([part(100), part(1, "failed")], 101, 8)[1] == ("failed", "▏")


def test_bars_where_there_is_ascii_alone() -> None:
    assert bar_cells([part(55)], 100, 10, ascii_only=True) == [("sent", "######")]
    assert bar_cells([part(1)], 1000, 10, ascii_only=True) == [("sent", "#")]


def test_areas_of_letters() -> None:
    assert area_rows([0, 5, 10], 10, 2) == ["  █", " ██"]
    assert area_rows([2.5, 5], 10, 2) == ["", "▄█"]
    assert area_rows([0, 0], 0, 2) == ["", ""]
    assert area_rows([0, 5, 10], 10, 2, ascii_only=True) == ["  #", " ##"]


def test_a_line_is_read_between_its_points() -> None:
    points = [(NINE, 0), (NINE + timedelta(minutes=1), 100), (NINE + timedelta(minutes=2), 100)]
    assert resampled(points, 4) == [50, 100, 100, 100]


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (0, 0, "–"),
        (0, 5, "0.0 %"),
        (1, 3, "33.3 %"),
        (1, 1_000_000, "< 0.1 %"),
        (999_999, 1_000_000, "> 99.9 %"),
        (5, 5, "100.0 %"),
    ],
)
def test_shares_never_hide_the_last_one(part: int, whole: int, told: str) -> None:
    assert words.share(part, whole) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min"), (250, "4 min 10 s"), (90_061, "1 d 1 h")],
)
def test_spans_in_their_two_biggest_units(seconds: float, told: str) -> None:
    assert words.span(timedelta(seconds=seconds)) == told


def test_numbers() -> None:
    assert [words.counted(many, "issue") for many in (0, 1, 2)] == [
        "0 issues",
        "1 issue",
        "2 issues",
    ]
    assert words.number(-1234) == "−1,234"
    assert [words.short_number(many) for many in (999, 1500, 2_000_000)] == ["999", "1.5k", "2M"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\x1b[31mb\x07", "a [31mb"),
        ("safe\u202egpj.exe", "safegpj.exe"),
        ("two\r\nlines\u2028three", "two lines three"),
        ("half \ud800 letter", "half letter"),
    ],
)
def test_nothing_commands_a_terminal(text: str, told: str) -> None:
    assert words.clean(text) == told


@settings(max_examples=40)
@given(text=st.text(), columns=st.integers(1, 40))
def test_what_is_cut_fits(text: str, columns: int) -> None:
    assert words.width_of(words.fit(text, columns)) <= columns


def test_ideographs_take_two_columns() -> None:
    assert words.fit("春の特集春の特集", 8) == "春の特…"
