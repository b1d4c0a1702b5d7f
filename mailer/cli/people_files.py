"""`mailer subscribers import` and `export`: people in files."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from mailer.cli import completion, output
from mailer.cli.runtime import runtime
from subscribers.errors import ImportRefused
from subscribers.model import Status
from subscribers.transfer.exporting import RefusedFiles, export_csv, export_json
from subscribers.transfer.importing import PLAIN, Listeners, import_people
from subscribers.transfer.model import Import, Progress, Reading, Refused, Report
from subscribers.transfer.profile.known import PROFILES

#: So many refused rows are told one by one; the rest is in `--refused FILE`.
_TOLD = 20

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


def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV, JSON lines, or a zip of such; - for standard input.")
    ],
    newsletter: To = None,
    service: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SERVICE",
            help=f"Whose file it is, if not guessed right: {', '.join(PROFILES)}, or {PLAIN}.",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MEANING",
            help="What a column is: email, name, status, joined_at …, an attribute,"
            " or - to leave it out; may be given again.",
        ),
    ] = None,
    status: Annotated[
        Status, typer.Option(help="Where people stand whose row does not say.")
    ] = Status.ACTIVE,
    refused: Annotated[
        Path | None, typer.Option(help="Write refused rows here, to be mended and imported.")
    ] = None,
    declare: Annotated[
        bool, typer.Option("--declare", help="Make columns that are no attribute yet into one.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Bring people in from a file; nobody who left is brought back.

    The exports of Mailchimp, Substack, Ghost, Buttondown, beehiiv, Kit, listmonk and Revue are
    known by their columns, with who has left or bounced, and when they agreed (docs/moving.md).
    Of other files columns are found by their names (email, name, language, timezone, tags,
    status, joined); the rest are attributes. A column that is no attribute yet stops the import
    before anything is changed, as a typing error would; --declare makes it one. A second time
    changes nothing; one that was cut off is started again. --dry-run shows what each column
    becomes.

    Examples: `mailer subscribers import people.csv --refused refused.csv`,
    `mailer subscribers import mailchimp.zip --dry-run`,
    `mailer subscribers import people.csv --column "Favourite colour=colour" --column Notes=-`
    """
    run = runtime()
    order = Import(
        newsletter=run.newsletter(newsletter),
        keyring=run.keyring,
        now=datetime.now(UTC),
        status=status,
        declare=declare,
        dry_run=dry_run,
        profile=service,
        columns=dict(_renamed(text) for text in column or ()),
    )
    readings: list[Reading] = []
    with ExitStack() as opened:
        source = opened.enter_context(_source(file))
        tell = Listeners(
            reading=readings.append,
            refused=opened.enter_context(_refusals(file, refused)),
            progress=opened.enter_context(_bar(file)),
        )
        try:
            report = import_people(run.database, source, order, name=file.name, tell=tell)
        except ImportRefused as exc:
            joint = ":" if str(exc)[:1].isdigit() else " "
            output.fail(f"{file}{joint}{exc}", code=output.MISTAKE)
    _tell_report(report, readings, dry_run=dry_run, as_json=as_json)


def _renamed(text: str) -> tuple[str, str]:
    name, equals, meaning = text.rpartition("=")
    if not equals or not name.strip() or not meaning.strip():
        output.fail(f"--column {text!r}: write NAME=MEANING", code=output.MISTAKE)
    return name, meaning.strip()


@contextmanager
def _source(file: Path) -> Iterator[BinaryIO]:
    """The file, or a copy of standard input, which can't be read twice."""
    if str(file) == "-":
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            yield copy
        return
    try:
        opened = file.open("rb")
    except OSError as exc:
        output.fail(f"{file}: can't be read ({exc.strerror})", code=output.MISTAKE)
    with opened:
        yield opened


@contextmanager
def _refusals(file: Path, path: Path | None) -> Iterator[Callable[[Refused], None]]:
    """Tell the first refused rows, and write all of them where that is wanted."""
    with ExitStack() as opened:
        write: Callable[[Refused], None] | None = None
        if path is not None:
            if path.exists() and file.exists() and path.samefile(file):
                output.fail(
                    f"--refused {path}: this is the file to import; name another",
                    code=output.MISTAKE,
                )
            try:
                write = opened.enter_context(RefusedFiles(path))
            except OSError as exc:
                output.fail(f"{path}: can't be written ({exc.strerror})", code=output.MISTAKE)
        count = 0

        def tell(row: Refused) -> None:
            nonlocal count
            count += 1
            if count <= _TOLD:
                table = f"{file}/{row.table}" if row.table != file.name else file
                output.warn(f"{table}:{row.line}: {row.reason}")
            if write:
                write(row)

        yield tell
    if count > _TOLD:
        output.warn(f"… and {count - _TOLD} more" + ("" if path else "; --refused FILE has all"))


@contextmanager
def _bar(file: Path) -> Iterator[Callable[[Progress], None]]:
    with output.progress(f"Importing {file.name}", total=None) as bar:

        def moved(progress: Progress) -> None:
            bar.update(bar.task_ids[0], total=progress.total, completed=progress.done)

        yield moved


def _tell_report(report: Report, readings: list[Reading], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        told = {"rows": report.rows, "dry_run": dry_run, **dataclasses.asdict(report)}
        told["tables"] = [
            dataclasses.asdict(one) | {"columns": dict(one.columns)} for one in readings
        ]
        output.emit_json(told)
        return
    _tell_readings(readings, columns=dry_run)
    if report.declared:
        output.say(f"{'would declare' if dry_run else 'declared'}: {', '.join(report.declared)}")
    joined = {name: count for name, count in report.joined.items() if name != Status.ACTIVE}
    as_what = f" ({', '.join(f'{n:,} {name}' for name, n in joined.items())})" if joined else ""
    ended = f", {report.ended:,} ended" if report.ended else ""
    left_out = "".join(f", {count:,} {why}" for why, count in report.left_out.items())
    output.say(
        f"{'Would be: ' if dry_run else ''}{report.rows:,} rows: {report.added:,} added{as_what},"
        f" {report.updated:,} updated{ended}, {report.unchanged:,} unchanged,"
        f" {report.refused:,} refused{left_out}"
    )
    if report.suppressed:
        output.say(f"{'would suppress' if dry_run else 'suppressed'}: {report.suppressed:,}")


def _tell_readings(readings: list[Reading], *, columns: bool) -> None:
    for reading in (one for one in readings if not one.left_out):
        where = f"{reading.table}: " if len(readings) > 1 else ""
        if reading.profile:
            output.say(f"{where}from {PROFILES[reading.profile].title}")
        if columns:
            output.show_table(("column", "becomes"), reading.columns)
    not_read = [one for one in readings if one.left_out]
    for reading in not_read[:_TOLD]:
        output.say(f"{reading.table}: left out: {reading.left_out}")
    if len(not_read) > _TOLD:
        output.say(f"… and {len(not_read) - _TOLD} more")


def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; else standard output.")] = None,
    newsletter: To = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of CSV.")] = False,
) -> None:
    """Write a newsletter's people as CSV or JSON lines.

    Cells that a spreadsheet would run as formulas get an apostrophe; an import takes it off.

    JSON lines also have what each person agreed to, when and how, and an import keeps that.

    Examples: `mailer subscribers export people.csv`, `mailer subscribers export --json`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with ExitStack() as opened:
        target = sys.stdout
        if file is not None:
            try:
                target = opened.enter_context(file.open("w", encoding="utf-8", newline=""))
            except OSError as exc:
                output.fail(f"{file}: can't be written ({exc.strerror})", code=output.MISTAKE)
        session = opened.enter_context(run.database.read())
        if as_json:
            target.writelines(
                f"{line}\n" for line in export_json(session, wanted.id, status=status)
            )
        else:
            export_csv(session, wanted.id, target, status=status)
