"""`mailer segment`: people described in a small language, counted, shown, kept under a name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli import completion, output
from mailer.cli.runtime import runtime
from subscribers.segment import queries as segments
from subscribers.segment.model import in_words

app = typer.Typer(
    help="Describe people: plan = pro and opened in last 90 days and not tag:vip.",
    no_args_is_help=True,
    add_completion=False,
)

Words = Annotated[
    str,
    typer.Argument(
        metavar="SEGMENT",
        help="A saved name, or words such as 'plan = \"pro\" and not tag:vip'.",
        show_default=False,
    ),
]
Name = Annotated[str, typer.Argument(help="What to call it.", show_default=False)]
To = Annotated[
    str | None,
    typer.Option(
        "--newsletter",
        "-n",
        autocompletion=completion.newsletters,
        help="Its short name; not needed where there is but one.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def count(segment: Words, newsletter: To = None, as_json: Json = False) -> None:
    """Count the people of a segment who may be mailed.

    Fields: address, domain, name, language, timezone, source, joined, opened, clicked and the
    declared attributes. Compare by =, !=, <, <=, >, >=, in (a, b), contains, starts with,
    ends with, has; `in last 90 days`, `since 2026-01-01`; `tag:vip`, `segment:NAME`, and
    `newsletter:NAME` for who gets another one too; join by and, or, not, parentheses.

    Example: `mailer segment count 'plan = "pro" and joined > 2026-01-01 and not tag:vip'`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with run.database.read() as session:
        tree = segments.read(session, segment)
        size = segments.count(session, wanted.id, tree, now=datetime.now(UTC))
    if as_json:
        output.emit_json({"newsletter": wanted.slug, "segment": in_words(tree), "people": size})
    else:
        output.say(f"{size:,} people of {wanted.name}")


@app.command()
def show(
    segment: Words,
    newsletter: To = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """Show some of the people of a segment who may be mailed, oldest first.

    Example: `mailer segment show 'opened in last 90 days' --limit 5`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with run.database.read() as session:
        tree = segments.read(session, segment)
        found = segments.people(session, wanted.id, tree, now=datetime.now(UTC), limit=limit)
    if as_json:
        output.emit_json(found)
        return
    rows = [(one.address, one.name, ", ".join(one.tags)) for one in found]
    output.show_table(("address", "name", "tags"), rows)


@app.command()
def save(name: Name, segment: Words, as_json: Json = False) -> None:
    """Keep a segment under a name, to be used as `segment:NAME` or by campaigns.

    Example: `mailer segment save engaged 'opened in last 90 days or clicked in last 90 days'`
    """
    run = runtime()
    with run.database.write() as session:
        segments.save(session, name, segment, now=datetime.now(UTC))
    if as_json:
        output.emit_json({"name": name, "segment": segment})
    else:
        output.say(f"{name} is saved; use it: mailer campaign schedule issue.md --segment {name}")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the saved segments.

    Example: `mailer segment list`
    """
    run = runtime()
    with run.database.read() as session:
        found = segments.saved(session)
    if as_json:
        output.emit_json(found)
    else:
        output.show_table(("name", "segment"), [(one.name, one.expression) for one in found])


@app.command()
def remove(name: Name, as_json: Json = False) -> None:
    """Forget a saved segment; campaigns that were scheduled with it keep what it said.

    Example: `mailer segment remove engaged`
    """
    run = runtime()
    with run.database.write() as session:
        segments.remove(session, name)
    if as_json:
        output.emit_json({"removed": name})
    else:
        output.say("removed")
