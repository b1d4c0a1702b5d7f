"""`mailer subscribers attributes`: which attributes people may have, so that a slip is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli import output
from mailer.cli.runtime import runtime
from subscribers.attribute import queries as attributes
from subscribers.attribute.model import Definition, Kind

app = typer.Typer(
    help="The attributes people may have: their names and kinds.",
    no_args_is_help=True,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(help="The attribute's name.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the attributes people may have, and how many have each.

    Example: `mailer subscribers attributes list`
    """
    run = runtime()
    with run.database.read() as session:
        known = attributes.definitions(session).values()
        rows = [(one.name, one.kind.value, attributes.holders(session, one.name)) for one in known]
    if as_json:
        output.emit_json([dict(zip(("name", "kind", "people"), row, strict=True)) for row in rows])
    else:
        output.show_table(("name", "kind", "people"), rows)


@app.command()
def add(
    name: Name,
    kind: Annotated[Kind, typer.Option(help="What its values are.")] = Kind.TEXT,
    as_json: Json = False,
) -> None:
    """Let people have an attribute.

    Example: `mailer subscribers attributes add score --kind number`
    """
    run = runtime()
    wanted = Definition(name=name, kind=kind)
    with run.database.write() as session:
        attributes.declare(session, [wanted], now=datetime.now(UTC))
    if as_json:
        output.emit_json(wanted)
    else:
        output.say(f"people may have {name} ({kind})")


@app.command()
def remove(
    name: Name,
    values: Annotated[
        bool, typer.Option("--values", help="Take its values from those who have one.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Take an attribute off the list; nobody may have it then.

    Example: `mailer subscribers attributes remove score --values --yes`
    """
    run = runtime()
    taken = 0
    if values:
        output.confirm(f"Take {name} from everybody for good?", yes=yes)
        while True:
            with run.database.write() as session:
                some = attributes.strip(session, name)
            taken += some
            if not some:
                break
    with run.database.write() as session:
        attributes.withdraw(session, name)
    if as_json:
        output.emit_json({"removed": name, "taken_from": taken})
    else:
        output.say("removed" + (f", from {taken:,} people" if taken else ""))
