"""When people's own clocks show a time: pure.

Where clocks go forward over the time it is as much later as they go forward; where it comes twice
it is the first time. Whoever's zone is not known has the newsletter's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from mailer.campaign import times
from mailer.errors import TimeInvalid

#: No zone is further from another: on the fourth day at the latest a time is to come everywhere.
_DAYS = 4


@dataclass(frozen=True, kw_only=True)
class Turn:
    """People of one zone, and the moment in UTC when their clocks show the time.

    `known`: whether the zone is their own; else they get it by the newsletter's.
    """

    timezone: str
    opens_at: datetime
    people: int
    known: bool = True


def written(local: datetime) -> str:
    """A local time as a campaign keeps it."""
    return f"{local:%Y-%m-%d %H:%M}"


def opening(local_at: str | datetime, timezone: str) -> datetime:
    """The moment in UTC at which clocks in a zone show the time, or would; raises TimeInvalid."""
    local = datetime.fromisoformat(local_at) if isinstance(local_at, str) else local_at
    if not 1970 < local.year < 9999:
        raise TimeInvalid(f"{written(local)}: the year is out of range; write 2026-12-01 09:00")
    # Without `fold` Python takes the offset from before the change, which is what is wanted.
    return local.replace(tzinfo=times.zone(timezone), fold=0).astimezone(UTC)


def openings(
    local_at: str | datetime, zones: Iterable[str | None], *, fallback: str
) -> dict[str | None, datetime]:
    """The moment for each zone; for one that is not known, or none, that of `fallback`."""
    unknown = opening(local_at, fallback)
    return {
        name: opening(local_at, name) if name and is_zone(name) else unknown for name in [*zones]
    }


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        times.zone(name)
    except TimeInvalid:
        return False
    return True


def turns(
    local_at: datetime, people: Mapping[str | None, int], *, fallback: str
) -> tuple[Turn, ...]:
    """Who gets it when, the first zone first; with nobody there only the fallback, for nobody."""
    known = {name: count for name, count in people.items() if name and is_zone(name)}
    unknown = sum(people.values()) - sum(known.values())
    found = [
        Turn(timezone=name, opens_at=opening(local_at, name), people=count)
        for name, count in known.items()
    ]
    if unknown or not found:
        at = opening(local_at, fallback)
        found.append(Turn(timezone=fallback, opens_at=at, people=unknown, known=False))
    return tuple(sorted(found, key=lambda turn: (turn.opens_at, turn.timezone, turn.known)))


def first_day(
    clock: time, people: Mapping[str | None, int], *, fallback: str, now: datetime
) -> date:
    """The first day on which the time is still to come for everybody; raises TimeInvalid."""
    zones = [
        turn.timezone
        for turn in turns(datetime.combine(_day(now), clock), people, fallback=fallback)
    ]
    for more in range(-1, _DAYS):
        day = _day(now) + timedelta(days=more)
        if all(opening(datetime.combine(day, clock), zone) > now for zone in zones):
            return day
    raise TimeInvalid(f"{clock:%H:%M} has no day")


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()
