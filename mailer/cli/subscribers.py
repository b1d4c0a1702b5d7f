"""`mailer subscribers`: the people of a newsletter."""

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

from mailer.cli import output
from mailer.cli.attributes import app as attributes_app
from mailer.cli.hygiene import check, sunset
from mailer.cli.privacy import erase
from mailer.cli.runtime import runtime
from subscribers import audience
from subscribers import queries as people
from subscribers.address import parse
from subscribers.errors import ImportRefused
from subscribers.hygiene.flags import flags
from subscribers.model import Member, Status
from subscribers.transfer.exporting import RefusedFile, export_csv, export_json
from subscribers.transfer.importing import import_csv
from subscribers.transfer.model import Import, Progress, Refused, Report
from subscribers.transfer.row import clean, read_language, read_timezone

app = typer.Typer(
    help="The people: add, import, look up, unsubscribe, erase.",
    no_args_is_help=True,
    add_completion=False,
)

app.add_typer(attributes_app, name="attributes")
app.command()(check)
app.command()(sunset)

#: So many refused rows are told one by one; the rest is in `--refused FILE`.
_TOLD = 20

Address = Annotated[str, typer.Argument(help="The person's address.", show_default=False)]
To = Annotated[
    str | None,
    typer.Option("--newsletter", "-n", help="Its short name; not needed where there is but one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(
    address: Address,
    newsletter: To = None,
    name: Annotated[str, typer.Option(help="What to call the person.")] = "",
    language: Annotated[str | None, typer.Option(help="A code such as en or pt-BR.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given again.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE; may be given again.")
    ] = None,
    pending: Annotated[
        bool, typer.Option(help="Has not confirmed yet (where the newsletter asks for it).")
    ] = False,
    lift: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="End a bounce, complaint or erasure of this address; why stays on record.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Subscribe one person, who has agreed to it.

    Example: `mailer subscribers add ada@example.org --name "Ada" --attribute plan=pro`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    parsed = parse(address)
    attributes = dict(_attribute(text) for text in attribute or ())
    with run.database.write() as session:
        subscriber_id, recorded = people.add(
            session,
            parsed,
            wanted,
            keyring=run.keyring,
            now=datetime.now(UTC),
            name=clean(name, "--name"),
            language=read_language(language or ""),
            timezone=read_timezone(timezone or ""),
            attributes=attributes,
            tags=tuple(clean(one, "--tag") for one in tag or ()),
            confirmed=not pending,
            lift=lift,
        )
    for flag in flags(parsed):
        meant = f"; did you mean {flag.suggestion}?" if flag.suggestion else ""
        output.warn(f"{address} looks {flag.oddity}{meant}")
    if as_json:
        output.emit_json({"id": subscriber_id, "effect": recorded.effect})
    else:
        output.say(f"{address}: {recorded.effect} ({wanted.slug})")


def _attribute(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        output.fail(f"--attribute {text!r}: write NAME=VALUE", code=output.MISTAKE)
    return name, clean(value, "--attribute")


@app.command()
def show(address: Address, as_json: Json = False) -> None:
    """Show all that is known of one person.

    Example: `mailer subscribers show ada@example.org --json`
    """
    run = runtime()
    with run.database.read() as session:
        person = people.show(session, parse(address), keyring=run.keyring)
        slugs = {one.id: one.slug for one in people.newsletters(session)}
    if as_json:
        output.emit_json(person)
        return
    told = dataclasses.asdict(person.subscriber)
    told["attributes"] = ", ".join(f"{k}={v}" for k, v in person.subscriber.attributes.items())
    told["tags"] = ", ".join(person.subscriber.tags)
    told["suppressed"] = ", ".join(person.suppressed_for)
    output.show_table(("", ""), [(key, value) for key, value in told.items() if value])
    for place in person.subscriptions:
        since = place.left_at or place.joined_at
        output.say(f"{slugs[place.newsletter_id]}: {place.status} since {since:%Y-%m-%d %H:%M} UTC")
    for consent in person.consents:
        output.say(f"consent {consent.action} at {consent.at:%Y-%m-%d %H:%M} UTC, {consent.source}")


@app.command("list")
def list_(
    newsletter: To = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List a newsletter's people, oldest first.

    Example: `mailer subscribers list --status bounced`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with run.database.read() as session:
        found = people.members(session, wanted.id, status=status, limit=limit)
        if as_json:
            output.emit_json_lines(found)
        else:
            output.show_table(("address", "status", "joined", "name"), map(_line, found))


def _line(member: Member) -> tuple[object, ...]:
    person = member.subscriber
    return person.address, member.status, member.joined_at.date(), person.name


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file, or - for standard input.")],
    newsletter: To = None,
    status: Annotated[
        Status, typer.Option(help="What people are whose row does not say: active or pending.")
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
    """Bring people in from a CSV file; nobody who left is brought back.

    Columns are found by their names (email, name, language, timezone, tags, status, joined);
    others are attributes. A column that is no attribute yet stops the import before anything is
    changed, as a typing error would; --declare makes it one. A second time changes nothing.

    Example: `mailer subscribers import people.csv --refused refused.csv`
    """
    if status not in (Status.ACTIVE, Status.PENDING):
        output.fail("--status: write active or pending", code=output.MISTAKE)
    run = runtime()
    order = Import(
        newsletter=run.newsletter(newsletter),
        keyring=run.keyring,
        now=datetime.now(UTC),
        status=status,
        declare=declare,
        dry_run=dry_run,
    )
    with ExitStack() as opened:
        source = opened.enter_context(_source(file))
        tell = opened.enter_context(_refusals(file, refused))
        moved = opened.enter_context(_bar(file))
        try:
            report = import_csv(run.database, source, order, refused=tell, progress=moved)
        except ImportRefused as exc:
            joint = ":" if str(exc)[:1].isdigit() else " "
            output.fail(f"{file}{joint}{exc}", code=output.MISTAKE)
    _tell_report(report, dry_run=dry_run, as_json=as_json)


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
                target = path.open("w", encoding="utf-8", newline="")
            except OSError as exc:
                output.fail(f"{path}: can't be written ({exc.strerror})", code=output.MISTAKE)
            write = RefusedFile(opened.enter_context(target))
        count = 0

        def tell(row: Refused) -> None:
            nonlocal count
            count += 1
            if count <= _TOLD:
                output.warn(f"{file}:{row.line}: {row.reason}")
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


def _tell_report(report: Report, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        told = {"rows": report.rows, "dry_run": dry_run, **dataclasses.asdict(report)}
        output.emit_json(told)
        return
    if report.declared:
        output.say(f"{'would declare' if dry_run else 'declared'}: {', '.join(report.declared)}")
    left_out = "".join(f", {count:,} {why}" for why, count in report.left_out.items())
    output.say(
        f"{'Would be: ' if dry_run else ''}{report.rows:,} rows: {report.added:,} added,"
        f" {report.updated:,} updated, {report.unchanged:,} unchanged,"
        f" {report.refused:,} refused{left_out}"
    )


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; else standard output.")] = None,
    newsletter: To = None,
    status: Annotated[Status | None, typer.Option(help="Only these.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of CSV.")] = False,
) -> None:
    """Write a newsletter's people as CSV or JSON lines.

    Cells that a spreadsheet would run as formulas get an apostrophe; an import takes it off.

    Example: `mailer subscribers export people.csv`
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


@app.command()
def unsubscribe(
    address: Address,
    newsletter: To = None,
    everything: Annotated[bool, typer.Option("--all", help="From all newsletters.")] = False,
    as_json: Json = False,
) -> None:
    """End a person's subscription, from this moment on.

    Example: `mailer subscribers unsubscribe ada@example.org`
    """
    run = runtime()
    wanted = None if everything else run.newsletter(newsletter)
    with run.database.write() as session:
        person = people.find(session, parse(address))
        recorded = people.unsubscribe(session, person.id, wanted, now=datetime.now(UTC))
    if as_json:
        output.emit_json({"id": person.id, "effect": recorded.effect})
    else:
        output.say(f"{address}: {recorded.effect}")


@app.command()
def remove(
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a person, as `mailer privacy erase` does.

    Example: `mailer subscribers remove ada@example.org --yes`
    """
    erase(address, yes=yes, as_json=as_json)


@app.command()
def stats(newsletter: To = None, as_json: Json = False) -> None:
    """Count a newsletter's people by status, and who would not get an issue and why.

    Example: `mailer subscribers stats`
    """
    run = runtime()
    wanted = run.newsletter(newsletter)
    with run.database.read() as session:
        counts = audience.stats(session, wanted.id)
        who = audience.count(session, wanted.id)
    if as_json:
        output.emit_json({"newsletter": wanted.slug, "counts": counts, "audience": who})
        return
    output.say(f"{wanted.name}: {who.size:,} would receive an issue now")
    rows = [*counts.people.items(), ("suppressed addresses and domains", counts.suppressed)]
    output.show_table(("status", "people"), rows)
    output.show_table(("largest domains", "active"), [*counts.domains.items()])
