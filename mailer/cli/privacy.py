"""`mailer privacy`: what is known of a person, handed out or erased; what is kept, and how long."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli import output
from mailer.cli.runtime import Runtime, runtime
from mailer.feedback.own_data.gather import own_data
from mailer.report.privacy import erase as erasing
from mailer.report.privacy import purge as purging
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
        output.emit_json(own_data(session, wanted, keyring=run.keyring))


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
    """End what was kept longer than the settings under [retention] allow.

    `mailer serve` and `mailer web` do so by themselves, once an hour.

    Example: `mailer privacy purge --dry-run`
    """
    run = runtime()
    ended = purging.purge(
        run.database, run.settings.retention, now=datetime.now(UTC), dry_run=dry_run
    )
    if as_json:
        output.emit_json({"dry_run": dry_run, **ended})
        return
    for name, count in ended.items():
        more = " or more" if dry_run and count >= records.AT_ONCE else ""
        output.say(f"{'would end ' if dry_run else ''}{name}: {count:,}{more}")
