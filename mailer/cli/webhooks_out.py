"""`mailer webhooks out`: the user's own systems that are told what happens."""

from __future__ import annotations

import inspect
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import uuid4

import typer

from mailer.campaign import times
from mailer.cli.campaign_options import Json, Yes
from mailer.cli.output import MISTAKE, confirm, emit_json, fail, say, show_table
from mailer.cli.runtime import Runtime, runtime
from mailer.errors import FetchRefused
from mailer.feedback.outgoing import payload, queries
from mailer.feedback.outgoing.model import (
    Call,
    CallState,
    Endpoint,
    EndpointState,
    Logged,
    Subject,
    Waiting,
)
from mailer.feedback.outgoing.teller import ask, fetcher
from subscribers.outbox.model import NewsType, wants

app = typer.Typer(
    help="Your own systems that are told what happens: subscriptions, bounces, campaigns.",
    no_args_is_help=True,
    add_completion=False,
)

Id = Annotated[int, typer.Argument(help="The endpoint's number.", show_default=False)]

#: An old secret may sign for so long and no longer.
LONGEST_OVERLAP = timedelta(days=30)
#: What `test` sends; no real news has this type.
TEST = "endpoint.test"


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to POST news.", show_default=False)],
    events: Annotated[
        list[str] | None,
        typer.Option(help="Which news, such as `subscriber.*`; several with commas or again."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add an endpoint and show its secret, this once; it is told what happens from now on.

    Examples: `mailer webhooks out add https://crm.example.com/hooks --events subscriber.*`,
    `mailer webhooks out add https://ops.example.com/p --events campaign.paused,campaign.finished`
    """
    here = runtime()
    wanted = _patterns(events or ["*"])
    try:
        fetcher(here.settings.outgoing).check(url)
    except FetchRefused as exc:
        remedy = "" if here.settings.outgoing.private else "; [outgoing] private = true allows http"
        fail(f"{exc}{remedy}", code=MISTAKE)
    with here.database.write() as session:
        endpoint = queries.add(session, url, wanted, now=datetime.now(UTC))
    _show_secret(here, endpoint, as_json=as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the endpoints: what they want, how they are, what waits for them.

    Example: `mailer webhooks out list`
    """
    with runtime().database.read() as session:
        every = queries.every(session)
        waiting = queries.waiting(session)
    rows = [_row(one, waiting.get(one.id, Waiting())) for one in every]
    if as_json:
        emit_json(rows)
        return
    if not rows:
        say("no endpoint yet; `mailer webhooks out add URL` adds one")
        return
    names = ("id", "state", "url", "events", "waiting", "dead")
    show_table(names, [[row[name] for name in names] for row in rows])


@app.command()
def show(endpoint_id: Id, as_json: Json = False) -> None:
    """Show one endpoint: its state and why, and what it was told last.

    Example: `mailer webhooks out show 1`
    """
    with runtime().database.read() as session:
        endpoint = queries.get(session, endpoint_id)
        waiting = queries.waiting(session).get(endpoint_id, Waiting())
        last = queries.log(session, endpoint_id=endpoint_id, most=10)
    row = _row(endpoint, waiting)
    if as_json:
        emit_json({**row, "last": last})
        return
    for name, value in row.items():
        if value not in (None, ""):
            say(f"{name:14} {value}")
    _show_log(last)


@app.command()
def remove(endpoint_id: Id, yes: Yes = False) -> None:
    """Forget an endpoint, and all that waits for it.

    Example: `mailer webhooks out remove 1 --yes`
    """
    here = runtime()
    with here.database.read() as session:
        endpoint = queries.get(session, endpoint_id)
        waiting = queries.waiting(session).get(endpoint_id, Waiting()).waiting
    confirm(f"Remove {endpoint.url}, for which {waiting} news wait?", yes=yes)
    with here.database.write() as session:
        queries.remove(session, endpoint_id)
    say(f"endpoint {endpoint_id} is removed")


@app.command()
def pause(endpoint_id: Id) -> None:
    """Call an endpoint no more until `resume`; news are kept for it meanwhile.

    Example: `mailer webhooks out pause 1`
    """
    _set_state(endpoint_id, EndpointState.PAUSED, "by hand")
    say(f"endpoint {endpoint_id} is paused; go on with: mailer webhooks out resume {endpoint_id}")


@app.command()
def resume(endpoint_id: Id) -> None:
    """Call an endpoint again that was paused or switched off; what waits goes out first.

    Example: `mailer webhooks out resume 1`
    """
    _set_state(endpoint_id, EndpointState.ACTIVE, None)
    say(f"endpoint {endpoint_id} is called again")


def _set_state(endpoint_id: int, state: EndpointState, reason: str | None) -> None:
    with runtime().database.write() as session:
        queries.set_state(session, endpoint_id, state, reason=reason, now=datetime.now(UTC))


@app.command()
def rotate(
    endpoint_id: Id,
    overlap: Annotated[
        str, typer.Option(help="So long the old secret signs as well; 0s ends it at once.")
    ] = "24h",
    as_json: Json = False,
) -> None:
    """Give an endpoint a new secret and show it, this once.

    Until the overlap is over each call carries both signatures, so that none is lost.

    Example: `mailer webhooks out rotate 1 --overlap 2h`
    """
    here = runtime()
    lasts = times.span(overlap)
    if lasts > LONGEST_OVERLAP:
        fail(f"--overlap {overlap}: {LONGEST_OVERLAP.days} days at most", code=MISTAKE)
    until = datetime.now(UTC) + lasts
    with here.database.write() as session:
        endpoint = queries.rotate(session, endpoint_id, old_until=until)
    _show_secret(here, endpoint, as_json=as_json)


@app.command("test")
def try_(endpoint_id: Id, as_json: Json = False) -> None:
    """Send an endpoint a signed test call now, and show its answer.

    Its type is `endpoint.test`; it is not in the log and is not tried again.

    Example: `mailer webhooks out test 1`
    """
    here = runtime()
    with here.database.read() as session:
        endpoint = queries.get(session, endpoint_id)
    call = Call(
        id=0,
        message_id=f"msg_{uuid4().hex}",
        type=TEST,
        at=datetime.now(UTC),
        facts={"endpoint": endpoint.id},
        tries=0,
        subject=Subject(),
    )
    content = payload.body(call)
    fetch = fetcher(here.settings.outgoing)
    answered = ask(fetch, endpoint, call.message_id, content, keyring=here.keyring)
    if as_json:
        emit_json({"taken": answered.is_yes, **asdict(answered)})
    elif answered.is_yes:
        say(f"{endpoint.url} {answered}: {answered.words.strip() or 'nothing more'}")
    if not answered.is_yes:
        words = f": {answered.words.strip()}" if answered.status is not None else ""
        fail(f"{endpoint.url} did not take it: {answered}{words}")


@app.command()
def log(
    endpoint_id: Annotated[
        int | None, typer.Argument(help="The endpoint's number; all, if not said.")
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Dead letters alone.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what still waits.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """Show what endpoints were told, what waits and what was given up; newest first.

    Examples: `mailer webhooks out log 1`, `mailer webhooks out log --dead --json`
    """
    if dead and waiting:
        fail("--dead or --waiting: what is given up waits no more", code=MISTAKE)
    state = CallState.DEAD if dead else CallState.WAITING if waiting else None
    with runtime().database.read() as session:
        if endpoint_id is not None:
            queries.get(session, endpoint_id)
        calls = queries.log(session, endpoint_id=endpoint_id, state=state, most=limit)
    if as_json:
        emit_json(calls)
        return
    if not calls:
        say("nothing")
    _show_log(calls)


@app.command()
def replay(
    endpoint_id: Id,
    message: Annotated[
        list[str] | None, typer.Argument(help="Ids of news as in the log.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="What happened from then on: 2026-07-01 09:00, in UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="What happened before then, in UTC.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Dead letters alone.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many it would be.")] = False,
    as_json: Json = False,
) -> None:
    """Send news again that were delivered or given up, by id or by when they happened.

    They keep their ids: a receiver that remembers ids passes over what it has.

    Examples: `mailer webhooks out replay 1 --dead`,
    `mailer webhooks out replay 1 --since "2026-07-01 09:00" --dry-run`
    """
    if not (message or since or until or dead):
        fail("say which: ids from the log, --since, --until or --dead", code=MISTAKE)
    with runtime().database.write() as session:
        queries.get(session, endpoint_id)
        count = queries.replay(
            session,
            endpoint_id,
            ids=message or (),
            since=_moment(since),
            until=_moment(until),
            dead=dead,
            dry_run=dry_run,
            now=datetime.now(UTC),
        )
    if as_json:
        emit_json({"replayed": 0 if dry_run else count, "found": count})
        return
    say(f"{count} would be sent again" if dry_run else f"{count} will be sent again")


@app.command()
def events(as_json: Json = False) -> None:
    """List the news there are, as `--events` takes them.

    Example: `mailer webhooks out events`
    """
    found = meanings()
    if as_json:
        emit_json(found)
        return
    show_table(("event", "what happened"), found.items())


def meanings() -> dict[str, str]:
    """Each type of news and what its `#:` comment says."""
    pattern = re.compile(r'    #: (.*)\n    \w+ = "([a-z_.]+)"')
    return {name: words for words, name in pattern.findall(inspect.getsource(NewsType))}


def _patterns(given: list[str]) -> list[str]:
    patterns = [one.strip() for text in given for one in text.split(",") if one.strip()]
    for pattern in patterns:
        if not any(wants([pattern], kind) for kind in NewsType):
            fail(
                f"--events {pattern!r}: there are no such news; see `mailer webhooks out events`",
                code=MISTAKE,
            )
    return patterns or ["*"]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else times.moment(text, "UTC")


def _show_secret(here: Runtime, endpoint: Endpoint, *, as_json: bool) -> None:
    made = payload.secret(here.keyring, endpoint.seed)
    if as_json:
        emit_json({"id": endpoint.id, "url": endpoint.url, "secret": made})
        return
    say(f"endpoint {endpoint.id}: {endpoint.url}, told of {', '.join(endpoint.wanted)}")
    say(f"Its secret, shown this once: {made}")
    say(f"Try it: mailer webhooks out test {endpoint.id}")


def _row(endpoint: Endpoint, waiting: Waiting) -> dict[str, object]:
    return {
        "id": endpoint.id,
        "state": endpoint.state,
        "reason": endpoint.reason,
        "url": endpoint.url,
        "events": ",".join(endpoint.wanted),
        "created_at": endpoint.created_at,
        "failing_since": endpoint.failing_since,
        "rests_until": endpoint.rests_until,
        "old_secret_until": endpoint.old_seed_until,
        **asdict(waiting),
    }


def _show_log(calls: list[Logged]) -> None:
    show_table(
        ("id", "endpoint", "event", "happened", "state", "tries", "next", "last answer"),
        [
            (
                one.message_id,
                one.endpoint_id,
                one.type,
                one.at,
                one.state,
                one.tries,
                one.due_at,
                one.result,
            )
            for one in calls
        ],
    )
