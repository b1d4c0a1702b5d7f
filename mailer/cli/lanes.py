"""`mailer lanes`: how fast mail goes to whom, limits, and which provider a domain belongs to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from mailer.cli import completion
from mailer.cli.campaign_options import Json
from mailer.cli.output import MISTAKE, emit_json, fail, say, show_table
from mailer.cli.runtime import Runtime, runtime
from mailer.delivery import grants, pace
from mailer.delivery.domains import queries as domain_queries
from mailer.delivery.domains.find import LaneFinder
from mailer.delivery.domains.mx import SystemResolver
from mailer.delivery.domains.queries import Source
from mailer.delivery.grants import WHOLE
from mailer.delivery.lanes import LANES
from mailer.delivery.pace import Limits, Meter
from subscribers import address

app = typer.Typer(
    help="How fast mail goes, by provider and relay.",
    invoke_without_command=True,
    add_completion=False,
)

#: What a relay as a whole is called here.
ALL = "all"

Relay = Annotated[
    str,
    typer.Argument(
        help="The relay's name; [relay] is `default`.", autocompletion=completion.relays
    ),
]
Lane = Annotated[str, typer.Argument(help="The lane, or `all` for the relay as a whole.")]


@dataclass(frozen=True, kw_only=True)
class LaneLine:
    """One lane as it is shown; `speed` is in messages a second now, None: as fast as it goes."""

    relay: str
    lane: str
    limits: Limits
    speed: float | None
    spent_today: int
    today: int | None
    in_trouble_since: datetime | None


@app.callback()
def lanes(context: typer.Context) -> None:
    """How fast mail goes, by provider and relay."""
    if context.invoked_subcommand is None:
        list_lanes()


@app.command("list")
def list_lanes(as_json: Json = False) -> None:
    """List the lanes that have limits or are in trouble: all others go as fast as they can.

    Examples: `mailer lanes list`, `mailer lanes list --json`
    """
    now = datetime.now(UTC)
    with runtime().database.read() as session:
        lines = [_line(*every, now=now) for every in grants.every(session)]
        found = domain_queries.by_lane(session)
    if as_json:
        emit_json({"lanes": lines, "domains": found})
        return
    if not lines:
        say("no lane has a limit, and none is in trouble")
        return
    show_table(
        ("relay", "lane", "limits", "speed now", "spent today", "in trouble since"),
        [
            (
                line.relay,
                line.lane,
                _words(line.limits),
                "unlimited" if line.speed is None else f"{line.speed:.2f}/s",
                line.spent_today if line.today is None else f"{line.spent_today} of {line.today}",
                line.in_trouble_since,
            )
            for line in lines
        ],
    )


def _line(relay: str, lane: str, limits: Limits, meter: Meter, *, now: datetime) -> LaneLine:
    slowed = pace.recovered(meter, now) is not None
    return LaneLine(
        relay=relay,
        lane=lane or ALL,
        limits=limits,
        speed=pace.speed(limits, meter, now),
        spent_today=pace.spent_today(meter, now),
        today=limits.today(now),
        in_trouble_since=meter.slowed_at if slowed else None,
    )


def _words(limits: Limits) -> str:
    known = (
        (limits.per_second, "{:g}/s"),
        (limits.per_hour, "{}/h"),
        (limits.per_day, "{}/day"),
        (limits.connections, "{} connections"),
        (limits.warmup_first, f"warm-up from {{}} on {limits.warmup_start}"),
    )
    return ", ".join(form.format(value) for value, form in known if value is not None) or "none"


@app.command("set")
def set_limits(
    relay: Relay,
    lane: Lane,
    per_second: Annotated[float | None, typer.Option(help="Messages a second.", min=0.001)] = None,
    per_hour: Annotated[int | None, typer.Option(help="Messages an hour.", min=1)] = None,
    per_day: Annotated[int | None, typer.Option(help="Messages a day.", min=1)] = None,
    connections: Annotated[
        int | None, typer.Option(help="Connections, over all workers.", min=1)
    ] = None,
    warmup_start: Annotated[
        datetime | None, typer.Option(help="The warm-up's first day.", formats=["%Y-%m-%d"])
    ] = None,
    warmup_first: Annotated[
        int | None,
        typer.Option(help="Messages on that day; the start is today if not said.", min=1),
    ] = None,
    warmup_growth: Annotated[
        float | None, typer.Option(help="Times as many each day after.", min=1.0)
    ] = None,
    as_json: Json = False,
) -> None:
    """Limit a lane of a relay, or with `all` the relay as a whole; what is not named stays.

    All workers on all hosts together keep to it, at once.

    Examples: `mailer lanes set default gmail --per-second 5 --per-day 20000`,
    `mailer lanes set default all --warmup-first 500 --warmup-growth 1.5`
    """
    here = runtime()
    place = _place(here, relay, lane)
    now = datetime.now(UTC)
    said = {
        "per_second": per_second,
        "per_hour": per_hour,
        "per_day": per_day,
        "connections": connections,
        "warmup_start": warmup_start.date() if warmup_start else None,
        "warmup_first": warmup_first,
        "warmup_growth": warmup_growth,
    }
    changes = {name: value for name, value in said.items() if value is not None}
    if not changes:
        fail(
            "say a limit, such as --per-second 5; `mailer lanes reset` takes them away",
            code=MISTAKE,
        )
    with here.database.write() as session:
        before = grants.limits_of(session, *place) or Limits()
        limits = _with_start(replace(before, **changes), now.date())  # type: ignore[arg-type]
        grants.set_limits(session, *place, limits, now=now)
    if as_json:
        emit_json({"relay": relay, "lane": lane, "limits": limits})
        return
    say(f"{relay} {lane}: {_words(limits)}")


def _with_start(limits: Limits, today: date) -> Limits:
    if limits.warmup_first is not None and limits.warmup_start is None:
        return replace(limits, warmup_start=today)
    return limits


@app.command()
def reset(relay: Relay, lane: Lane) -> None:
    """Take a lane's limits and its trouble away: it goes as fast as it can.

    Example: `mailer lanes reset default gmail`
    """
    here = runtime()
    place = _place(here, relay, lane)
    with here.database.write() as session:
        gone = grants.forget(session, *place)
    say(f"{relay} {lane}: no limits" + ("" if gone else "; there were none"))


@app.command()
def assign(
    domain: Annotated[str, typer.Argument(help="The domain of people's addresses.")],
    lane: Annotated[str, typer.Argument(help="The lane its mail goes by; may be a new one.")],
) -> None:
    """Say which lane a domain's mail goes by, whatever its MX records tell.

    Counts for campaigns that start from now on.

    Example: `mailer lanes assign big-company.example big-company`
    """
    if not lane.replace("-", "").isalnum() or len(lane) > 32 or lane == ALL:
        fail(f"{lane!r} is no name for a lane: up to 32 letters, digits and `-`", code=MISTAKE)
    name = address.parse(f"someone@{domain}").domain
    with runtime().database.write() as session:
        domain_queries.keep(session, [(name, lane)], source=Source.MANUAL, now=datetime.now(UTC))
    say(f"{name} goes by lane {lane}")


@app.command()
def resolve(
    limit: Annotated[int, typer.Option(help="Look up about so many domains.", min=1)] = 1000,
    as_json: Json = False,
) -> None:
    """Look up by MX which provider takes the mail of domains that are not well known.

    The clock does the same by itself, slowly, unless `mx_lookups` is off.

    Example: `mailer lanes resolve --limit 200`
    """
    here = runtime()
    finder = LaneFinder(database=here.database, resolver=SystemResolver())
    looked_up = 0
    while looked_up < limit and (some := finder.walk()) is not None:
        looked_up += some
    with here.database.read() as session:
        found = Counter(domain_queries.by_lane(session))
    if as_json:
        emit_json({"looked_up": looked_up, "domains": found})
        return
    say(f"{looked_up} domains looked up")
    show_table(("lane", "domains"), found.most_common())


def _place(here: Runtime, relay: str, lane: str) -> tuple[str, str]:
    """A relay and a lane as the ledger knows them; ends the command on unknown ones."""
    relays = here.settings.every_relay
    if relay not in relays:
        fail(f"there is no relay {relay!r}; there are: {', '.join(relays)}", code=MISTAKE)
    with here.database.read() as session:
        known = LANES | domain_queries.by_lane(session).keys()
    if lane != ALL and lane not in known:
        fail(f"there is no lane {lane!r}; there are: all, {', '.join(sorted(known))}", code=MISTAKE)
    return relay, WHOLE if lane == ALL else lane
