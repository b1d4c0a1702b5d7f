"""Local times that people write, as moments: pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mailer.errors import TimeInvalid


class ComesTwice(TimeInvalid):
    """This local time comes twice, since clocks go back over it; say which is meant."""

    def __init__(self, message: str, first: datetime, second: datetime) -> None:
        super().__init__(message)
        self.first = first
        self.second = second


_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


def zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name; raises TimeInvalid."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise TimeInvalid(
            f"{name!r} is no time zone; write an IANA name such as Europe/Berlin or Asia/Tokyo"
        ) from exc


def moment(text: str, timezone: str, *, later: bool | None = None) -> datetime:
    """The moment in UTC at which clocks in `timezone` show `text`.

    Raises TimeInvalid for what is no time and for one that is skipped when clocks go forward;
    ComesTwice, unless `later` says which is meant, when they go back over it.
    """
    return resolve(_parse(text), timezone, said=text, later=later)


def resolve(
    local: datetime, timezone: str, *, said: str = "", later: bool | None = None
) -> datetime:
    """The moment in UTC at which clocks in `timezone` show `local`; `said` names it in errors.

    Raises TimeInvalid and ComesTwice as `moment` does.
    """
    text = said or f"{local:%Y-%m-%d %H:%M}"
    there = zone(timezone)
    if not 1970 < local.year < 9999:
        raise TimeInvalid(f"{text}: the year is out of range; write it as 2026-12-01 09:00")
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    first, second = (local.replace(tzinfo=there, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    back = first.astimezone(there).replace(tzinfo=None)
    if back != local:
        raise TimeInvalid(
            f"{text} does not exist in {timezone}: clocks go forward over it;"
            f" the next that does is {back:%Y-%m-%d %H:%M}"
        )
    if later is None:
        raise ComesTwice(
            f"{text} comes twice in {timezone}: {first:%Y-%m-%d %H:%M} UTC and"
            f" {second:%Y-%m-%d %H:%M} UTC; say --earlier or --later",
            first,
            second,
        )
    return second if later else first


def _parse(text: str) -> datetime:
    for pattern in _FORMATS:
        try:
            return datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - its zone comes apart
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise TimeInvalid(f"{text!r} is no time; write it as 2026-12-01 09:00") from exc


_SPAN = re.compile(r"(\d{1,6})\s*([smhd]?)")
_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def span(text: str) -> timedelta:
    """How long `90`, `90s`, `30m`, `2h` or `1d` is; raises TimeInvalid."""
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise TimeInvalid(f"{text!r} is no span of time; write it like 90s, 30m, 2h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
