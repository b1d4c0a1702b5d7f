"""Times as people say them; what can't be meant is refused at the word that says it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.campaign.times import ComesTwice
from mailer.campaign.when import moment, next_of_slot, read_slot
from mailer.errors import TimeInvalid

BERLIN = "Europe/Berlin"
#: A Friday evening in Berlin, and Saturday morning in Tokyo.
NOW = datetime(2026, 11, 27, 22, 30, 15, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01 09:00", utc(2026, 12, 1, 8)),
        ("2026-12-01T09:00", utc(2026, 12, 1, 8)),
        ("2026-12-01 9:00:30", utc(2026, 12, 1, 8, 0, 30)),
        ("2026-12-01T09:00+05:30", utc(2026, 12, 1, 3, 30)),
        ("2026-12-01 09:00-0330", utc(2026, 12, 1, 12, 30)),
        ("2026-12-01T09:00Z", utc(2026, 12, 1, 9)),
        ("2026-12-01 09:00 UTC", utc(2026, 12, 1, 9)),
        ("tomorrow 9:00", utc(2026, 11, 28, 8)),
        ("Tomorrow at 9am", utc(2026, 11, 28, 8)),
        ("9:00 tomorrow", utc(2026, 11, 28, 8)),
        ("tomorrow noon", utc(2026, 11, 28, 11)),
        ("tomorrow 12 am", utc(2026, 11, 27, 23)),
        ("tomorrow 12:15 PM", utc(2026, 11, 28, 11, 15)),
        ("tomorrow 9:00 Asia/Tokyo", utc(2026, 11, 29, 0)),
        ("today 23:45", utc(2026, 11, 27, 22, 45)),
        # Past, which whoever asked is told.
        ("today 9:00", utc(2026, 11, 27, 8)),
        ("23:45", utc(2026, 11, 27, 22, 45)),
        ("9:00", utc(2026, 11, 28, 8)),
        ("Mon 08:30 Asia/Tokyo", utc(2026, 11, 29, 23, 30)),
        ("on Monday, 8:30", utc(2026, 11, 30, 7, 30)),
        ("thurs 8:30", utc(2026, 12, 3, 7, 30)),
        # Today is the day, as long as the time is to come.
        ("fri 23:45", utc(2026, 11, 27, 22, 45)),
        ("friday 17:00", utc(2026, 12, 4, 16)),
        ("this friday 23:45", utc(2026, 11, 27, 22, 45)),
        ("next friday 23:45", utc(2026, 12, 4, 22, 45)),
        ("next friday 17:00", utc(2026, 12, 4, 16)),
        ("next mon 17:00", utc(2026, 11, 30, 16)),
        ("1 Dec 9:00", utc(2026, 12, 1, 8)),
        ("Dec 1st 9:00", utc(2026, 12, 1, 8)),
        ("Sept 1, 2027 9:00", utc(2027, 9, 1, 7)),
        ("27 November 9:00", utc(2027, 11, 27, 8)),
        ("29 feb 9:00", utc(2028, 2, 29, 8)),
        ("in 2 hours", utc(2026, 11, 28, 0, 30, 15)),
        ("in an hour", utc(2026, 11, 27, 23, 30, 15)),
        ("in 90m", utc(2026, 11, 28, 0, 0, 15)),
        ("in 1 day 2 hours", utc(2026, 11, 29, 0, 30, 15)),
        ("in 1 hour 30 minutes", utc(2026, 11, 28, 0, 0, 15)),
        ("in 3 days", utc(2026, 11, 30, 22, 30, 15)),
        ("in 3 days 9am", utc(2026, 11, 30, 8)),
        ("in 2 weeks at 9 am", utc(2026, 12, 11, 8)),
    ],
)
def test_what_is_said_in_berlin(text: str, expected: datetime) -> None:
    assert moment(text, BERLIN, now=NOW)[0] == expected


def test_the_zone_that_is_named_is_told() -> None:
    assert moment("Mon 08:30 Asia/Tokyo", BERLIN, now=NOW)[1] == "Asia/Tokyo"
    assert moment("Mon 08:30", BERLIN, now=NOW)[1] == BERLIN


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tomorow 9:00", r"'tomorow' \(character 1\) is not understood; did you mean 'tomorrow'"),
        ("next frday 9:00", r"'frday' \(character 6\) is no day of the week; write it like"),
        ("9:00 this", r"'this' \(character 6\) is no day of the week"),
        ("Mon Tue 9:00", r"'Tue' \(character 5\) is a second day beside 'Mon'"),
        ("9:00 9:30", r"'9:30' \(character 6\) is a second time of day beside '9:00'"),
        ("9:00 Asia/Tokyo UTC", r"'UTC' \(character 17\) is a second time zone"),
        ("12/01/2026 9:00", r"'12/01/2026' \(character 1\) may be read in two ways"),
        ("01.12.2026 9:00", "may be read in two ways; write the date as 2026-12-01"),
        ("2026-13-01 09:00", r"'2026-13-01' \(character 1\) is no date: month"),
        ("2026-02-30 09:00", "is no date: day is out of range"),
        ("30 Feb 9:00", r"'30' \(character 1\) is no date"),
        ("Mon 9", r"'9' \(character 5\) says neither hour nor date"),
        ("yesterday 9:00", r"'yesterday' \(character 1\) is over; write it as"),
        ("now", "is no time of day; --now starts at once"),
        ("Mon midnight", "may be either end of a day; write 0:00"),
        ("Mon 9:00 PST", r"'PST' \(character 10\) is no time zone; write an IANA name"),
        ("Mon 9:00 Europe/Belin", "did you mean Europe/Berlin"),
        ("Mon 9:00 ../../etc/passwd", "is no time zone"),
        ("Mon 25:00", r"'25:00' \(character 5\) is no time of day: hour"),
        ("Mon 9:60", "is no time of day: minute"),
        ("Mon 17:30 pm", "with pm hours go from 1 to 12"),
        ("Mon 0am", "with am hours go from 1 to 12"),
        ("2026-12-01 09:00+29:00", "no possible distance from UTC"),
        ("2026-12-01 pm 9:00", r"'pm' \(character 12\) is not understood"),
        ("in", r"'in' \(character 1\) wants an amount"),
        ("in soon", "wants an amount and a unit"),
        ("in 2", r"'2' \(character 4\) says no unit"),
        ("in 2 fortnights", r"'fortnights' \(character 6\) is no unit"),
        ("in 2 hours tomorrow", "stands by itself"),
        ("in 2 hours 9:00", "stands by itself"),
        ("in 999999 weeks", "out of range"),
        ("in 999999 hours in 2 hours", r"'in' \(character 17\) is not understood"),
        ("9999-12-31 23:59", "out of range"),
        ("1970-01-01 00:00Z", "out of range"),
        ("tomorrow", "says no time of day"),
        ("2026-12-01", "says no time of day"),
        ("at", "'at'.*is not understood"),
        ("", "is no time; write it as 2026-12-01 09:00"),
        ("   ", "is no time"),
        ("9:00\x00", "is no time"),
        ("9:00\ntomorrow", "is no time"),
        ("9:00 " * 50, "is no time"),
        ("--now", "is not understood"),
    ],
)
def test_what_is_refused_and_at_which_word(text: str, told: str) -> None:
    with pytest.raises(TimeInvalid, match=told) as caught:
        moment(text, BERLIN, now=NOW)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "now", "zone"),
    [
        ("tomorrow 2:30", utc(2026, 3, 28, 12), BERLIN),
        ("Sun 2:30", utc(2026, 3, 27, 12), BERLIN),
        ("in 1 day", utc(2026, 3, 28, 1, 30), BERLIN),
        ("8 Mar 02:30", utc(2026, 1, 1), "America/New_York"),
        ("2026-10-04 02:15 Australia/Lord_Howe", utc(2026, 1, 1), BERLIN),
    ],
)
def test_a_time_that_clocks_skip_is_refused(text: str, now: datetime, zone: str) -> None:
    with pytest.raises(TimeInvalid, match=r"does not exist in .*; the next that does is"):
        moment(text, zone, now=now)


def test_a_time_that_comes_twice_asks_which() -> None:
    now = utc(2026, 10, 23, 12)
    with pytest.raises(ComesTwice, match="--earlier or --later"):
        moment("Sun 2:30", BERLIN, now=now)
    assert moment("Sun 2:30", BERLIN, now=now, later=False)[0] == utc(2026, 10, 25, 0, 30)
    assert moment("Sun 2:30", BERLIN, now=now, later=True)[0] == utc(2026, 10, 25, 1, 30)


def test_days_keep_the_clock_and_hours_do_not() -> None:
    now = utc(2026, 3, 28, 11)  # noon in Berlin, the day before clocks go forward
    assert moment("in 1 day", BERLIN, now=now)[0] == utc(2026, 3, 29, 10)
    assert moment("in 24 hours", BERLIN, now=now)[0] == utc(2026, 3, 29, 11)


@given(st.text(max_size=40))
def test_no_text_brings_it_down(text: str) -> None:
    try:
        found, _ = moment(text, BERLIN, now=NOW, later=True)
    except TimeInvalid:
        return
    assert found.tzinfo is UTC


_WORDS = ["in", "next", "at", "9", "9:00", "am", "pm", "Mon", "Dec", "2026", "2026-12-01", "2h",
          "days", "tomorrow", "UTC", "Asia/Tokyo", "noon", "a", "29", "feb"]  # fmt: skip


@given(st.lists(st.sampled_from(_WORDS), min_size=1, max_size=6))
def test_no_order_of_words_brings_it_down(words: list[str]) -> None:
    try:
        found, _ = moment(" ".join(words), BERLIN, now=NOW, later=True)
    except TimeInvalid:
        return
    assert found.tzinfo is UTC


# --- the weekly slot


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Mon 08:30", "Mon 08:30"),
        ("on monday at 8:30", "Mon 08:30"),
        ("8:30am Monday Europe/Berlin", "Mon 08:30 Europe/Berlin"),
        ("sun noon UTC", "Sun 12:00 UTC"),
    ],
)
def test_a_slot_is_kept_in_one_way(text: str, kept: str) -> None:
    assert read_slot(text) == kept
    assert read_slot(kept) == kept


@pytest.mark.parametrize(
    "text",
    ["Mon", "08:30", "tomorrow 8:30", "next Mon 8:30", "2026-12-01 8:30", "in 2 hours",
     "Mon 08:30:15", "Mon 08:30+02:00"],
)  # fmt: skip
def test_what_is_no_slot(text: str) -> None:
    with pytest.raises(TimeInvalid, match="write the weekly slot as"):
        read_slot(text)


@pytest.mark.parametrize(
    ("slot", "now", "expected"),
    [
        ("Fri 23:45", NOW, [utc(2026, 11, 27, 22, 45), utc(2026, 12, 4, 22, 45)]),
        ("Fri 23:00", NOW, [utc(2026, 12, 4, 22), utc(2026, 12, 11, 22)]),
        ("Mon 08:30 Asia/Tokyo", NOW, [utc(2026, 11, 29, 23, 30), utc(2026, 12, 6, 23, 30)]),
        # The same by the clock, whatever clocks do.
        ("Mon 08:30", utc(2026, 3, 20), [utc(2026, 3, 23, 7, 30), utc(2026, 3, 30, 6, 30)]),
        # Skipped: as much later. Doubled: the first.
        ("Sun 02:30", utc(2026, 3, 27), [utc(2026, 3, 29, 1, 30), utc(2026, 4, 5, 0, 30)]),
        ("Sun 02:30", utc(2026, 10, 23), [utc(2026, 10, 25, 0, 30), utc(2026, 11, 1, 1, 30)]),
    ],
)
def test_when_a_slot_comes(slot: str, now: datetime, expected: list[datetime]) -> None:
    found = islice(next_of_slot(slot, BERLIN, now=now), 2)
    assert [at for at, _ in found] == expected
