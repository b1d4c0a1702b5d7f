"""When a campaign is to start: read from options, asked about where it must be, and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import typer
from sqlalchemy.orm import Session

from mailer.campaign import local, said, times, when
from mailer.campaign import queries as campaign_queries
from mailer.campaign.local import Turn
from mailer.campaign.model import CampaignState
from mailer.cli.output import out, say
from mailer.errors import TimeInvalid
from subscribers.model import Newsletter

#: Zones shown at most without --json, those with the most people.
SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the options say of the time."""

    at: str | None = None
    local: str | None = None
    timezone: str | None = None
    at_once: bool = False
    later: bool | None = None
    yes: bool = False


@dataclass(frozen=True, kw_only=True)
class Start:
    """When it starts, and how that came about; `turns` where each gets it by their own clock."""

    due_at: datetime
    timezone: str
    note: str = ""
    local_at: datetime | None = None
    turns: tuple[Turn, ...] = ()

    @property
    def passed(self) -> int:
        """How many people's clocks have shown the time already."""
        return sum(turn.people for turn in self.turns if turn.opens_at < self.due_at)


def choose(
    session: Session,
    asked: Asked,
    which: Newsletter,
    people: Mapping[str | None, int],
    *,
    now: datetime,
) -> Start:
    """When it starts; raises TimeInvalid. `people` by time zone are for `--local` alone."""
    given = [asked.at is not None, asked.local is not None, asked.at_once]
    if sum(given) > 1:
        raise TimeInvalid("say when once: --at, --local or --now")
    if asked.timezone is not None:
        times.zone(asked.timezone)
    zone = asked.timezone or which.timezone
    if asked.at_once:
        return Start(due_at=now, timezone=zone)
    if asked.at is not None:
        return _at(asked.at, zone, asked, now=now)
    if asked.local is not None:
        return _local(asked.local, zone, people, now=now)
    return _slot(session, which, zone, now=now)


def _at(text: str, zone: str, asked: Asked, *, now: datetime) -> Start:
    named = said.read(text).timezone
    if named and asked.timezone and named != asked.timezone:
        raise TimeInvalid(f"--at names {named} and --timezone {asked.timezone}; say one")
    try:
        due_at, where = when.moment(text, zone, now=now, later=asked.later)
    except times.ComesTwice as exc:
        if asked.yes or not out.is_terminal:
            raise
        due_at = exc.second if typer.confirm(f"{exc} Take the later one?") else exc.first
        where = named or zone
    if due_at < now:
        raise TimeInvalid(f"{text} in {where} is past; add --now to start at once")
    return Start(due_at=due_at, timezone=where)


def _local(text: str, zone: str, people: Mapping[str | None, int], *, now: datetime) -> Start:
    told = said.read(text)
    if told.timezone or told.offset is not None or told.span is not None or told.clock is None:
        raise TimeInvalid(
            f"--local {text!r}: write a time of day, perhaps with a day, such as 09:00 or"
            ' "tomorrow 9:00"; each person\'s own zone is meant'
        )
    if told.clock.second:
        raise TimeInvalid(f"--local {text!r}: write hours and minutes")
    if told.day is None:
        day = local.first_day(told.clock, people, fallback=zone, now=now)
        local_at = datetime.combine(day, told.clock)
    else:
        local_at = when.local_of(told, zone, now=now)
    turns = local.turns(local_at, people, fallback=zone)
    if turns[-1].opens_at < now:
        raise TimeInvalid(f"{local.written(local_at)} is past everywhere; add --now instead")
    return Start(due_at=max(now, turns[0].opens_at), timezone=zone, local_at=local_at, turns=turns)


def _slot(session: Session, which: Newsletter, zone: str, *, now: datetime) -> Start:
    if which.slot is None:
        raise TimeInvalid(
            'say when: --at "2026-12-01 09:00", --local 09:00 or --now; or set a weekly slot:'
            f' mailer newsletter set {which.slug} --slot "Mon 08:30"'
        )
    waiting = campaign_queries.in_states(session, [CampaignState.SCHEDULED, CampaignState.PAUSED])
    taken = {c.due_at: c.id for c in waiting if c.newsletter_id == which.id and not c.snapshot_at}
    passed_over: list[int] = []
    slots = when.next_of_slot(which.slot, zone, now=now)
    due_at, where = next(slots)
    while due_at in taken:
        passed_over.append(taken[due_at])
        due_at, where = next(slots)
    note = f"the next slot of {which.slug} ({which.slot})"
    if passed_over:
        note += f"; campaign {', '.join(map(str, passed_over))} has the one before"
    return Start(due_at=due_at, timezone=where, note=note)


def show(start: Start, which: Newsletter, *, at_once: bool) -> None:
    """Say when it starts: where it was said, at home, and in UTC."""
    if at_once:
        _line("when", "now")
    elif start.local_at is not None:
        _show_turns(start)
    else:
        _line("when", spelled(start.due_at, start.timezone, which.timezone))
    if start.note:
        _line("", start.note)


def spelled(due_at: datetime, *zones: str) -> str:
    """A moment by the clocks of some zones, and in UTC."""
    told = [
        f"{_by_clock(due_at.astimezone(times.zone(name)))} {name}"
        for name in dict.fromkeys(zones)
        if name != "UTC"
    ]
    return " = ".join([*told, f"{_by_clock(due_at)} UTC"])


def _by_clock(moment: datetime) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M}" + (f":{moment:%S}" if moment.second else "")


def _show_turns(start: Start) -> None:
    first, last = start.turns[0], start.turns[-1]
    _line("when", f"{_by_clock(_told(start))} by each person's own clock")
    _line("first", f"{_by_clock(max(start.due_at, first.opens_at))} UTC, {first.timezone}")
    _line("last", f"{_by_clock(last.opens_at)} UTC, {last.timezone}")
    biggest = sorted(start.turns, key=lambda turn: -turn.people)[:SHOWN]
    for turn in start.turns:
        if turn in biggest:
            unknown = "" if turn.known else ", whose zone is not known"
            _line("", f"{turn.people} in {turn.timezone}{unknown}: {_by_clock(turn.opens_at)} UTC")
    rest = [turn.people for turn in start.turns if turn not in biggest]
    if rest:
        _line("", f"{sum(rest)} in {len(rest)} more zones")
    if start.passed:
        _line("", f"{start.passed} of them at once: their clocks have shown it already")


def _told(start: Start) -> datetime:
    assert start.local_at is not None
    return start.local_at


def _line(name: str, value: str) -> None:
    say(f"{name:>10}  {value}")


def as_json(start: Start) -> dict[str, object]:
    """What `--json` tells of the time."""
    told: dict[str, object] = {"due_at": start.due_at, "timezone": start.timezone}
    if start.note:
        told["note"] = start.note
    if start.local_at is not None:
        told["local_at"] = local.written(start.local_at)
        told["last_at"] = max(start.due_at, start.turns[-1].opens_at)
        told["zones"] = start.turns
    return told
