"""`mailer bounces`: what bounces have done to people, judged once more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli.output import confirm, emit_json, say, show_table
from mailer.cli.runtime import Runtime, runtime
from mailer.feedback import queries
from mailer.feedback.apply import apply_waiting
from mailer.feedback.mail_report import MAIL
from mailer.feedback.replay.judge import Difference
from mailer.feedback.replay.run import change, differences

app = typer.Typer(
    help="What bounces have done to people, judged once more.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def group() -> None:
    """What bounces have done to people, judged once more."""


@app.command()
def replay(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change it without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Judge all recorded bounces anew, by today's rules and each newsletter's policy.

    For a changed policy, or a version that reads bounces better. Mail that was not understood
    is read again as well, unless it is a dry run. Who left or complained stays as they are.

    Examples: `mailer bounces replay --dry-run`, `mailer bounces replay --yes`
    """
    here = runtime()
    if not dry_run:
        _read_again(here)
    found = list(differences(here.database))
    rows = [_row(one) for one in found]
    if as_json:
        emit_json(rows)
    else:
        show_table(
            ("address", "newsletter", "is", "would be", "why"), [[*r.values()] for r in rows]
        )
    if dry_run or not found:
        say_unless(as_json, f"{len(found)} people would stand elsewhere; nothing was changed")
        return
    confirm(f"Change the places of {len(found)} people?", yes=yes)
    moved = change(here.database, found, now=datetime.now(UTC))
    say_unless(as_json, f"{moved} people moved")


def say_unless(as_json: bool, words: str) -> None:
    """A line for people, where none is in the way of a program."""
    if not as_json:
        say(words)


def _read_again(here: Runtime) -> None:
    with here.database.write() as session:
        waiting = queries.wait_again(session, MAIL)
    while waiting and apply_waiting(here.database, here.keyring, now=datetime.now(UTC)):
        pass


def _row(one: Difference) -> dict[str, object]:
    return {
        "address": one.past.address,
        "newsletter": one.past.newsletter_id,
        "is": one.past.status,
        "would_be": one.becomes,
        "why": one.why,
    }
