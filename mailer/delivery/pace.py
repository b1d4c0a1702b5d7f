"""How fast a lane of a relay may go: limits, what is spent of them, slowing down: pure.

Messages get slots: moments at least `interval` apart at which they may fly. Whoever asks gets
at most a second's worth at once, so that no more than that is lost with a process that dies,
and nobody can save up slots and spend them together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

#: A grant covers at most so much time.
GRANT = timedelta(seconds=1)
#: A slot not used so long after its moment is spent.
LATENESS = timedelta(seconds=0.5)
#: So much of a limit per second is used: lateness in one window must not add up with the next.
MARGIN = 0.94
#: The slowest a lane gets, in messages a second.
SLOWEST = 0.05
#: Trouble again within so long after slowing down says nothing new.
DEAF = timedelta(seconds=5)
#: A lane that had trouble is back at full speed after so long without.
RECOVERY = timedelta(minutes=10)

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a person has set for a lane, or for a whole relay; None is no limit.

    A warm-up allows `warmup_first` messages on the day it starts and grows by `warmup_growth`
    each day, until it passes `per_day`.
    """

    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None
    connections: int | None = None
    warmup_start: date | None = None
    warmup_first: int | None = None
    warmup_growth: float = 1.5

    def today(self, now: datetime) -> int | None:
        """How many messages this day may see, warm-up counted in."""
        if self.warmup_start is None or self.warmup_first is None:
            return self.per_day
        days = max(0, (now.astimezone(UTC).date() - self.warmup_start).days)
        # Past 64 doublings nobody is warming up any more.
        warm = int(self.warmup_first * min(self.warmup_growth ** min(days, 200), 1e12))
        return warm if self.per_day is None else min(warm, self.per_day)


@dataclass(frozen=True, kw_only=True)
class Meter:
    """What is spent, and how slow trouble has made it; `rate` None: no slower than the limits.

    `next_at` is the first slot nobody has. Hours and days are spans that begin with their
    first message.
    """

    next_at: datetime
    hour_at: datetime
    hour_spent: int
    day_at: datetime
    day_spent: int
    rate: float | None = None
    peak: float | None = None
    slowed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """So many slots from `start`, one every `interval`; none: ask again at `start`."""

    messages: int
    start: datetime
    interval: timedelta


def speed(limits: Limits, meter: Meter, now: datetime) -> float | None:
    """Messages a second right now; None: as fast as it goes."""
    slowed = recovered(meter, now)
    limit = limits.per_second * MARGIN if limits.per_second is not None else None
    known = [rate for rate in (limit, slowed) if rate is not None]
    return min(known) if known else None


def recovered(meter: Meter, now: datetime) -> float | None:
    """The rate after trouble: it grows evenly until it is where it was, then it is forgotten."""
    if meter.rate is None or meter.slowed_at is None or meter.peak is None:
        return None
    share = max(0.0, (now - meter.slowed_at) / RECOVERY)
    rate = meter.rate + (meter.peak - meter.rate) * share
    return None if share >= 1 else rate


def slower(meter: Meter, *, measured: float, now: datetime) -> Meter:
    """Half the speed, after trouble (multiplicative decrease); `measured` is the speed it had."""
    if meter.slowed_at is not None and now - meter.slowed_at < DEAF:
        return meter
    current = recovered(meter, now)
    if current is None:
        current = max(measured, SLOWEST)
    return replace(
        meter,
        rate=max(SLOWEST, current / 2),
        peak=max(meter.peak or 0.0, current) if recovered(meter, now) else current,
        slowed_at=now,
    )


def grant(limits: Limits, meter: Meter, *, wanted: int, now: datetime) -> tuple[Grant, Meter]:
    """Spend up to `wanted` slots; gives them and the meter after it."""
    meter = _turned(meter, now)
    room, again = _room(limits, meter, now)
    rate = speed(limits, meter, now)
    if room <= 0:
        return Grant(messages=0, start=again, interval=timedelta(0)), meter
    messages = min(wanted, room)
    if rate is None:
        return Grant(messages=messages, start=now, interval=timedelta(0)), _spent(meter, messages)
    interval = timedelta(seconds=1 / rate)
    start = max(now, meter.next_at)
    if start > now + GRANT:
        return Grant(messages=0, start=start - GRANT, interval=interval), meter
    messages = min(messages, max(1, int(GRANT / interval)))
    meter = replace(_spent(meter, messages), next_at=start + messages * interval)
    return Grant(messages=messages, start=start, interval=interval), meter


def both(first: Grant, second: Grant) -> Grant:
    """What two meters allow together: the fewer, the later, the slower."""
    return Grant(
        messages=min(first.messages, second.messages),
        start=max(first.start, second.start),
        interval=max(first.interval, second.interval),
    )


def spent_today(meter: Meter, now: datetime) -> int:
    """How many messages the day under way has seen."""
    return _turned(meter, now).day_spent


def _turned(meter: Meter, now: datetime) -> Meter:
    """A new hour or day begins with the first message after the last one's end."""
    if now >= meter.hour_at + _HOUR:
        meter = replace(meter, hour_at=now, hour_spent=0)
    if now >= meter.day_at + _DAY:
        meter = replace(meter, day_at=now, day_spent=0)
    return meter


def _room(limits: Limits, meter: Meter, now: datetime) -> tuple[int, datetime]:
    """How many messages the hour and the day have left, and when there are more."""
    room, again = 1_000_000, now
    if limits.per_hour is not None:
        room = limits.per_hour - meter.hour_spent
        again = meter.hour_at + _HOUR
    today = limits.today(now)
    if today is not None and today - meter.day_spent < room:
        room = today - meter.day_spent
        again = meter.day_at + _DAY
    return room, again


def _spent(meter: Meter, messages: int) -> Meter:
    return replace(
        meter,
        hour_spent=meter.hour_spent + messages,
        day_spent=meter.day_spent + messages,
    )
