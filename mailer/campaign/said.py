"""What words say of a time, such as `tomorrow 9:00` or `Mon 08:30 Asia/Tokyo`: pure.

Words are read one by one; an error names the word that is not understood, and where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

from mailer.campaign import times
from mailer.errors import TimeInvalid

#: More is no time that somebody has typed.
LONGEST = 100
#: How a time may be written, for errors.
EXAMPLES = 'write it as 2026-12-01 09:00, "tomorrow 9:00", "Mon 08:30 Asia/Tokyo" or "in 2 hours"'

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_SHORT = {"tues": 1, "wednes": 2, "thur": 3, "thurs": 3}
_UNITS = {
    "minutes": ("m", "min", "mins", "minute", "minutes"),
    "hours": ("h", "hr", "hrs", "hour", "hours"),
    "days": ("d", "day", "days"),
    "weeks": ("w", "week", "weeks"),
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(am|pm)?(z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)
_HOUR = re.compile(r"(\d{1,2})(am|pm)", re.IGNORECASE)
_BARE = re.compile(r"\d{1,2}(:\d{2}){0,2}")
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAY_OF_MONTH = re.compile(r"(\d{1,2})(st|nd|rd|th)?", re.IGNORECASE)
_YEAR = re.compile(r"\d{4}")
_AMOUNT = re.compile(r"(\d{1,6})([a-z]*)", re.IGNORECASE)
_DOTTED = re.compile(r"\d{1,4}[./]\d{1,2}[./]\d{1,4}")


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word of what was said, and the character it begins at, from 1."""

    text: str
    at: int

    @property
    def low(self) -> str:
        """For comparing."""
        return self.text.lower()


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day, as far as it was said. All None: the next that fits.

    `strictly`: not today. `same_clock`: clocks show then what they show now, unless a time is said.
    """

    on: date | None = None
    in_days: int | None = None
    weekday: int | None = None
    strictly: bool = False
    same_clock: bool = False
    month: int | None = None
    of_month: int | None = None


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the words say: a span from now, or a day and a time of it, perhaps somewhere."""

    text: str
    span: timedelta | None = None
    day: Day | None = None
    clock: time | None = None
    timezone: str | None = None
    offset: timedelta | None = None


def read(text: str) -> Said:
    """What somebody says of a time; raises TimeInvalid, which names the word."""
    if len(text) > LONGEST or not text.strip() or not text.isprintable():
        raise TimeInvalid(f"{text[:LONGEST]!r} is no time; {EXAMPLES}")
    # `2026-12-01T09:00` is two words, too.
    apart = re.sub(r"(?<=\d)[Tt](?=\d)", " ", text)
    words = [Word(text=match[0], at=match.start() + 1) for match in re.finditer(r"[^\s,]+", apart)]
    return _Reader(text=text, words=words).read()


@dataclass
class _Reader:
    """Goes over the words once; each is taken by the first way of reading that knows it."""

    text: str
    words: list[Word]
    place: int = 0
    span: timedelta | None = None
    said: dict[str, tuple[Word, object]] = field(default_factory=dict)

    def read(self) -> Said:
        ways: tuple[Callable[[Word], bool], ...] = (
            self._small_word, self._span, self._clock, self._date, self._near_day, self._weekday,
            self._month, self._zone,
        )  # fmt: skip
        while self.place < len(self.words):
            word = self.words[self.place]
            self.place += 1
            if not any(way(word) for way in ways):
                raise self._wrong(word, _why_not(word.text))
        if self.span is not None and self.said:
            raise TimeInvalid(f"{self.text!r}: a span such as 'in 2 hours' stands by itself")
        return self._whole()

    def _whole(self) -> Said:
        def value(name: str) -> Any:
            return self.said[name][1] if name in self.said else None

        clock, offset = value("clock") or (None, None)
        return Said(
            text=self.text,
            span=self.span,
            day=value("day"),
            clock=clock,
            timezone=value("timezone"),
            offset=offset,
        )

    def _wrong(self, word: Word, why: str) -> TimeInvalid:
        return TimeInvalid(f"{self.text!r}: {word.text!r} (character {word.at}) {why}")

    def _keep(self, name: str, word: Word, value: object) -> bool:
        if name in self.said:
            first = self.said[name][0].text
            what = {"clock": "time of day", "timezone": "time zone"}.get(name, name)
            raise self._wrong(word, f"is a second {what} beside {first!r}; say one")
        self.said[name] = (word, value)
        return True

    def _next(self) -> Word | None:
        return self.words[self.place] if self.place < len(self.words) else None

    # -- ways of reading a word ------------------------------------------------------------

    def _small_word(self, word: Word) -> bool:
        return word.low in ("at", "on") and self._next() is not None

    def _span(self, word: Word) -> bool:
        if word.low != "in" or self.span is not None:
            return False
        days, rest, count = 0, timedelta(), 0
        while (amount := self._amount()) is not None:
            count += 1
            if "days" in amount or "weeks" in amount:
                days += amount.get("days", 0) + 7 * amount.get("weeks", 0)
            else:
                rest += timedelta(**amount)
        if not count:
            raise self._wrong(word, "wants an amount and a unit, such as 'in 2 hours'")
        if not rest and days:
            # So many days later clocks show the same, or the time that is said beside it.
            return self._keep("day", word, Day(in_days=days, same_clock=True))
        self.span = rest + timedelta(days=days)
        return True

    def _amount(self) -> dict[str, int] | None:
        word = self._next()
        if word is None or self._is_clock(word):
            return None
        match = _AMOUNT.fullmatch(word.text)
        number = 1 if word.low in ("a", "an") else int(match[1]) if match else None
        if number is None:
            return None
        unit_word = word
        unit = match[2].lower() if match else ""
        if not unit:
            following = self.words[self.place + 1] if self.place + 1 < len(self.words) else None
            if following is None:
                raise self._wrong(word, "says no unit; write minutes, hours, days or weeks")
            unit_word, unit = following, following.low
        if unit not in _UNIT_OF:
            raise self._wrong(unit_word, "is no unit of time; write minutes, hours, days or weeks")
        self.place += 1 if unit_word is word else 2
        return {_UNIT_OF[unit]: number}

    def _is_clock(self, word: Word) -> bool:
        """Whether a time of day stands here, such as `9am`, which begins like an amount."""
        after = self.words[self.place + 1 : self.place + 2]
        half = after[0].text if after and after[0].low in ("am", "pm") else ""
        return bool(_HOUR.fullmatch(word.text + half) or _CLOCK.fullmatch(word.text + half))

    def _clock(self, word: Word) -> bool:
        if word.low == "noon":
            return self._keep("clock", word, (time(12), None))
        half = self._half_after(word)
        match = _CLOCK.fullmatch(word.text + half)
        if match:
            hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
            value = self._time(word, hour, minute, second, match[4])
            return self._keep("clock", word, (value, self._offset(word, match[5])))
        match = _HOUR.fullmatch(word.text + half)
        if match:
            return self._keep(
                "clock", word, (self._time(word, int(match[1]), 0, 0, match[2]), None)
            )
        return False

    def _half_after(self, word: Word) -> str:
        """`am` or `pm` where it is a word of its own, which is taken then."""
        after = self._next()
        if after is None or after.low not in ("am", "pm") or not _BARE.fullmatch(word.text):
            return ""
        self.place += 1
        return after.text

    def _time(self, word: Word, hour: int, minute: int, second: int, half: str | None) -> time:
        if half:
            if not 1 <= hour <= 12:
                raise self._wrong(word, f"is no time of day: with {half} hours go from 1 to 12")
            hour = hour % 12 + (12 if half.lower() == "pm" else 0)
        try:
            return time(hour, minute, second)
        except ValueError as exc:
            raise self._wrong(word, f"is no time of day: {exc}") from exc

    def _offset(self, word: Word, text: str | None) -> timedelta | None:
        if not text:
            return None
        if text in "zZ":
            return timedelta()
        hours, minutes = int(text[1:3]), int(text[-2:])
        if hours > 23 or minutes > 59:
            raise self._wrong(word, "has no possible distance from UTC")
        return timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)

    def _date(self, word: Word) -> bool:
        match = _DATE.fullmatch(word.text)
        if not match:
            return False
        try:
            on = date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError as exc:
            raise self._wrong(word, f"is no date: {exc}; write it as 2026-12-01 09:00") from exc
        return self._keep("day", word, Day(on=on))

    def _near_day(self, word: Word) -> bool:
        near = {"today": 0, "tomorrow": 1}.get(word.low)
        return near is not None and self._keep("day", word, Day(in_days=near))

    def _weekday(self, word: Word) -> bool:
        after = self._next()
        strictly = word.low == "next"
        if strictly or word.low == "this":
            weekday = _weekday_of(after.low) if after else None
            if weekday is None:
                why = f"is no day of the week; write it like '{word.low} friday'"
                raise self._wrong(after or word, why)
            self.place += 1
            return self._keep("day", word, Day(weekday=weekday, strictly=strictly))
        weekday = _weekday_of(word.low)
        return weekday is not None and self._keep("day", word, Day(weekday=weekday))

    def _month(self, word: Word) -> bool:
        """`1 Dec`, `Dec 1` or `1 December 2026`."""
        after = self._next()
        if after is None:
            return False
        number, month = _DAY_OF_MONTH.fullmatch(word.text), _month_of(after.low)
        if number is None or month is None:
            number, month = _DAY_OF_MONTH.fullmatch(after.text), _month_of(word.low)
        if number is None or month is None:
            return False
        self.place += 1
        return self._keep("day", word, self._of_month(word, int(number[1]), month))

    def _of_month(self, word: Word, of_month: int, month: int) -> Day:
        after = self._next()
        year = int(after.text) if after and _YEAR.fullmatch(after.text) else None
        try:
            # A leap year takes any day that there may be.
            on = date(year or 2028, month, of_month)
        except ValueError as exc:
            raise self._wrong(word, f"is no date: {exc}") from exc
        if year is None:
            return Day(month=month, of_month=of_month)
        self.place += 1
        return Day(on=on)

    def _zone(self, word: Word) -> bool:
        if word.text in ("UTC", "GMT"):
            return self._keep("timezone", word, word.text)
        if "/" not in word.text or _DOTTED.fullmatch(word.text):
            return False
        try:
            times.zone(word.text)
        except TimeInvalid as exc:
            near = get_close_matches(word.text, available_timezones(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            why = f"is no time zone; write an IANA name such as Europe/Berlin{hint}"
            raise self._wrong(word, why) from exc
        return self._keep("timezone", word, word.text)


def _weekday_of(word: str) -> int | None:
    for number, name in enumerate(WEEKDAYS):
        if word in (name, name[:3]):
            return number
    return _SHORT.get(word)


def _month_of(word: str) -> int | None:
    for number, name in enumerate(_MONTHS, start=1):
        if word.rstrip(".") in (name, name[:3]):
            return number
    return 9 if word.rstrip(".") == "sept" else None


def _why_not(text: str) -> str:
    """What may help with a word that nothing here knows."""
    if _DOTTED.fullmatch(text):
        return "may be read in two ways; write the date as 2026-12-01"
    if text.lower() == "yesterday":
        return f"is over; {EXAMPLES}"
    if text.lower() == "now":
        return "is no time of day; --now starts at once"
    if text.lower() == "midnight":
        return "may be either end of a day; write 0:00"
    if text.isdigit():
        return "says neither hour nor date by itself; write 9:00 or 9am"
    if text.isupper() and text.isalpha() and len(text) <= 5:
        return "is no time zone; write an IANA name such as Europe/Berlin or America/New_York"
    known = ["today", "tomorrow", "noon", "next", "in", *WEEKDAYS, *_MONTHS]
    near = get_close_matches(text.lower(), known, n=1)
    hint = f"did you mean {near[0]!r}? Else " if near else ""
    return f"is not understood; {hint}{EXAMPLES}"
