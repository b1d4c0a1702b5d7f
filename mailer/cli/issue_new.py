"""`mailer issue new`: begin an issue, from the last one where there is one."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.output import MISTAKE, fail, say
from mailer.draft.next import latest, next_issue, next_name, parsed
from mailer.resources import templates


def new(
    file: Annotated[
        Path | None,
        typer.Argument(help="Where to write it; else a name that counts on.", show_default=False),
    ] = None,
    last: Annotated[
        Path | None, typer.Option("--from", help="The issue to go on from, instead of the last.")
    ] = None,
    blank: Annotated[
        bool, typer.Option("--blank", help="A commented draft instead, with one of everything.")
    ] = False,
) -> None:
    """Begin the next issue: the last one's number plus one, its sections, contents and about.

    The last issue is that of the highest number in the folder; where there is none, a commented
    draft is written. A file that is there already is kept.

    Examples: `mailer issue new`, `mailer issue new issue-31.md --from issue-29.md`,
    `mailer issue new issue.md --blank`
    """
    folder = file.parent if file else Path()
    last = last or (None if blank else latest(folder))
    today = datetime.now(UTC).date()
    if last is None or blank:
        file = file or Path("issue.md")
        _write(file, _commented(today))
        say(f"{file} is written; next: mailer issue preview {file} --open")
        return
    issue = parsed(last)
    number = (issue.front.number or 0) + 1
    file = file or next_name(last, number)
    _write(file, next_issue(issue, today=today))
    say(f"{file} is written, number {number}, with the sections of {last}")
    say(f"next: mailer issue add URL --to {file}, or mailer issue preview {file} --open")


def _commented(today: date) -> str:
    draft = (templates() / "issue" / "draft.md").read_text(encoding="utf-8")
    return re.sub(r"^date: .*$", f"date: {today}", draft, count=1, flags=re.MULTILINE)


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8", newline="\n") as target:
            target.write(text)
    except FileExistsError:
        fail(f"{file} is there already; choose another name", code=MISTAKE)
    except OSError as exc:
        fail(f"{file} can't be written: {exc.strerror}", code=MISTAKE)
