"""`mailer suppressions`: addresses and domains that must never be mailed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import completion, output
from mailer.cli.reason import checked
from mailer.cli.runtime import Runtime, runtime
from subscribers.errors import AddressInvalid
from subscribers.suppression import queries as suppressions
from subscribers.suppression.queries import Named, named
from subscribers.transfer.sheet import open_sheet
from subscribers.transfer.spreadsheet import unguard

app = typer.Typer(
    help="Addresses and domains that must never be mailed.",
    no_args_is_help=True,
    add_completion=False,
)

What = Annotated[
    str, typer.Argument(help="An address, or a domain such as @example.org.", show_default=False)
]
Where = Annotated[
    str | None,
    typer.Option(
        "--newsletter",
        "-n",
        autocompletion=completion.newsletters,
        help="For this one alone; else for all.",
    ),
]
Reason = Annotated[str, typer.Option(help="Why, in a word.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

#: A reason's place in the database.
_LONGEST = 32


@app.command()
def add(
    what: What,
    newsletter: Where = None,
    reason: Reason = suppressions.MANUAL,
    as_json: Json = False,
) -> None:
    """Never mail an address, or a whole domain, again.

    Examples: `mailer suppressions add ada@example.org`,
    `mailer suppressions add @example.org --newsletter weekly`
    """
    run = runtime()
    fresh = _suppress(
        run,
        [named(what)],
        _newsletter_id(run, newsletter),
        checked(reason, "--reason", longest=_LONGEST),
    )
    if as_json:
        output.emit_json({"suppressed": what, "new": bool(fresh)})
    else:
        output.say(f"{what} is never mailed" + ("" if fresh else "; it was not before"))


@app.command("list")
def list_(
    newsletter: Where = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List what must never be mailed; of erased people only that there is something.

    Example: `mailer suppressions list`
    """
    run = runtime()
    wanted = run.newsletter(newsletter).id if newsletter else None
    with run.database.read() as session:
        found = suppressions.every(session, newsletter_id=wanted)
        if as_json:
            output.emit_json_lines(found)
            return
        output.show_table(
            ("what", "for", "reason", "source", "since"),
            (
                (one.value or "(erased)", one.newsletter or "all", one.reason, one.source, one.at)
                for one in found
            ),
        )


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file: addresses or domains come first.")],
    newsletter: Where = None,
    reason: Reason = "imported",
    as_json: Json = False,
) -> None:
    """Bring in what must not be mailed: the first column of a CSV, with or without a header.

    Example: `mailer suppressions import blocked.csv --reason complaint`
    """
    run = runtime()
    newsletter_id = _newsletter_id(run, newsletter)
    word = checked(reason, "--reason", longest=_LONGEST)
    fresh = known = refused = 0
    batch: list[Named] = []
    for line, text in _first_column(file):
        try:
            batch.append(named(text))
        except AddressInvalid as exc:
            # A first line that is no address is the columns' names.
            if line > 1:
                refused += 1
                output.warn(f"{file}:{line}: {exc}")
        if len(batch) >= 500:
            new = _suppress(run, batch, newsletter_id, word)
            fresh, known, batch = fresh + new, known + len(batch) - new, []
    new = _suppress(run, batch, newsletter_id, word)
    fresh, known = fresh + new, known + len(batch) - new
    if as_json:
        output.emit_json({"added": fresh, "known": known, "refused": refused})
    else:
        output.say(f"{fresh:,} added, {known:,} known, {refused:,} refused")


def _first_column(file: Path) -> Iterator[tuple[int, str]]:
    try:
        opened = file.open("rb")
    except OSError as exc:
        output.fail(f"{file}: can't be read ({exc.strerror})", code=output.MISTAKE)
    with opened:
        for record in open_sheet(opened).records():
            yield record.line, unguard(record.cells[0])


@app.command()
def lift(
    what: What,
    reason: Annotated[str, typer.Option(help="Why; it stays on the person's record.")],
    newsletter: Where = None,
    as_json: Json = False,
) -> None:
    """Let an address or a domain be mailed again; nobody is subscribed by that.

    Example: `mailer suppressions lift ada@example.org --reason "asked by phone"`
    """
    run = runtime()
    wanted, why = run.newsletter(newsletter).id if newsletter else None, checked(reason, "--reason")
    with run.database.write() as session:
        lifted = suppressions.lift(
            session,
            named(what),
            keyring=run.keyring,
            newsletter_id=wanted,
            reason=why,
            now=datetime.now(UTC),
        )
    if as_json:
        output.emit_json({"lifted": lifted})
    else:
        output.say("lifted" if lifted else f"nothing was noted against {what}")


def _newsletter_id(run: Runtime, slug: str | None) -> int:
    return run.newsletter(slug).id if slug else 0


def _suppress(run: Runtime, batch: list[Named], newsletter_id: int, reason: str) -> int:
    now = datetime.now(UTC)
    with run.database.write() as session:
        return sum(
            suppressions.suppress(
                session,
                one,
                keyring=run.keyring,
                newsletter_id=newsletter_id,
                reason=reason,
                now=now,
            )
            for one in batch
        )
