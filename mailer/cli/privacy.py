"""`mailer privacy`: what is known of a person, handed out or erased; what is kept, and how long."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from mailer.cli import output
from mailer.cli.runtime import Runtime, runtime
from mailer.feedback.queries import forget_bodies
from mailer.report.privacy import erase as erasing
from mailer.report.privacy import queries as ledger
from subscribers import queries as people
from subscribers.address import Address, parse
from subscribers.privacy import queries as records

app = typer.Typer(
    help="Hand out or erase what is known of a person; say what is kept, and for how long.",
    no_args_is_help=True,
    add_completion=False,
)

Who = Annotated[str, typer.Argument(help="The person's address.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def export(address: Who) -> None:
    """Print all that is known of a person as JSON, to be handed to them.

    Example: `mailer privacy export ada@example.org`
    """
    run = runtime()
    wanted = parse(address)
    with run.database.read() as session:
        person = people.show(session, wanted, keyring=run.keyring)
        slugs = {one.id: one.slug for one in people.newsletters(session)}
        happened = records.events_of(session, person.subscriber.id)
        copies = ledger.copies_of(session, person.subscriber.id)
    places = [
        {**dataclasses.asdict(one), "newsletter": slugs[one.newsletter_id]}
        for one in person.subscriptions
    ]
    output.emit_json(
        {
            "person": person.subscriber,
            "subscriptions": places,
            "consents": person.consents,
            "suppressed_for": person.suppressed_for,
            "events": happened,
            "copies": copies,
        }
    )


@app.command()
def erase(
    address: Who,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a person: only a keyed hash stays, so that no import brings them back.

    Copies that have not left yet are skipped; the ledger keeps the count, not the address.

    Example: `mailer privacy erase ada@example.org --yes`
    """
    run = runtime()
    wanted = parse(address)
    with run.database.read() as session:
        people.find(session, wanted)
    output.confirm(f"Erase {address} for good?", yes=yes)
    erased = _erase(run, wanted)
    if as_json:
        output.emit_json({"id": erased, "effect": "erased"})
    else:
        output.say("erased")


def _erase(run: Runtime, address: Address) -> int:
    now = datetime.now(UTC)
    with run.database.write() as session:
        return erasing.erase(session, address, keyring=run.keyring, now=now)


@app.command()
def report(as_json: Json = False) -> None:
    """Count what is kept of people by kind, since when, and how long it may stay.

    Example: `mailer privacy report`
    """
    run = runtime()
    with run.database.read() as session:
        found = [*records.holdings(session), *ledger.holdings(session)]
    kept = run.settings.retention
    limits = {name: int(getattr(kept, name).total_seconds()) for name in type(kept).model_fields}
    if as_json:
        output.emit_json({"kept": found, "retention_seconds": limits})
        return
    output.show_table(
        ("what", "how many", "oldest"),
        [(one.what, f"{one.count:,}", one.oldest) for one in found],
    )
    for name, seconds in limits.items():
        output.say(f"retention.{name}: {seconds // 86_400} days")


@app.command()
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be ended.")] = False,
    as_json: Json = False,
) -> None:
    """End what was kept longer than `[retention]` allows; run it daily.

    Example: `mailer privacy purge --dry-run`
    """
    run = runtime()
    now = datetime.now(UTC)
    kept = run.settings.retention
    tasks: dict[str, Callable[[Session], int]] = {
        "events": lambda session: records.purge_looks(session, before=now - kept.events),
        "pending": lambda session: records.purge_pending(
            session, before=now - kept.pending, now=now
        ),
        "tests": lambda session: ledger.purge_tests(session, before=now - kept.tests),
        "requests": lambda session: forget_bodies(session, until=now - kept.requests),
    }
    ended = {name: _repeat(run, task, dry_run=dry_run) for name, task in tasks.items()}
    if as_json:
        output.emit_json({"dry_run": dry_run, **ended})
        return
    for name, count in ended.items():
        more = " or more" if dry_run and count >= records.AT_ONCE else ""
        output.say(f"{'would end ' if dry_run else ''}{name}: {count:,}{more}")


class _DryRunOver(Exception):
    """Takes back what was only tried."""


def _repeat(run: Runtime, task: Callable[[Session], int], *, dry_run: bool) -> int:
    """Do a task in short transactions until nothing is left; tried once in a dry run."""
    total = 0
    while True:
        some = 0
        try:
            with run.database.write() as session:
                some = task(session)
                if dry_run:
                    raise _DryRunOver
        except _DryRunOver:
            return some
        total += some
        if some < records.AT_ONCE:
            return total
