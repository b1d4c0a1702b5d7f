"""`mailer archive`: the issues that anybody may read, as files; and those of earlier days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.campaign import queries as campaign_queries
from mailer.campaign import times
from mailer.campaign.published.queries import add_old
from mailer.cli import completion
from mailer.cli.archive_old import Old, read_old
from mailer.cli.campaign_options import Json
from mailer.cli.output import FAILED, emit_json, progress, say, show_table, warn
from mailer.cli.runtime import Runtime, runtime
from mailer.errors import AlreadyScheduled, IssueInvalid, RenderingFailed
from mailer.web import site
from subscribers.errors import UsersMistake
from subscribers.model import Newsletter


class DayInvalid(UsersMistake):
    """This is no day; write it as 2021-03-01."""


app = typer.Typer(
    help="What went out, for everybody to read.", no_args_is_help=True, add_completion=False
)

Slug = Annotated[
    str | None,
    typer.Option(
        "--newsletter",
        "-n",
        autocompletion=completion.newsletters,
        help="Which newsletter, if there are several.",
    ),
]


@app.command("list")
def list_(newsletter: Slug = None, as_json: Json = False) -> None:
    """List the issues in the archive and their addresses.

    Issues that went to a segment alone are not in it, nor is a newsletter whose archive is
    closed by `mailer newsletter set --no-archive`.

    Example: `mailer archive list`
    """
    here = runtime()
    which = here.newsletter(newsletter)
    url = here.settings.public_url
    with here.database.read() as session:
        shelf = site.shelf_of(session, which, base=f"{url}/archive", public_url=url)
    rows = [
        {
            "number": one.number,
            "title": one.title,
            "at": one.at,
            "campaign": one.campaign_id,
            "url": shelf.url_of(one),
        }
        for one in shelf.issues
    ]
    if as_json:
        emit_json(rows)
        return
    show_table(("number", "title", "at", "campaign", "url"), [[*row.values()] for row in rows])


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", help="The folder to write.", file_okay=False)],
    url: Annotated[
        str | None, typer.Option(help="Where the folder will be served; else public_url/archive.")
    ] = None,
) -> None:
    """Write the archive as a static site: pages, Atom feeds, sitemap and images.

    Any web host can serve it. Its forms lead to the web process at public_url. Files there of
    the same names are written anew; others are left alone.

    Example: `mailer archive build --out site --url https://example.com/letters`
    """
    here = runtime()
    public_url = here.settings.public_url
    base = (url or f"{public_url}/archive").rstrip("/")
    with here.database.read() as session:
        found = site.shelves(session, base=base, public_url=public_url)
        total = sum(len(shelf.issues) for shelf in found)
        names: set[str] = set()
        with progress("pages", total=None) as bar:
            task = bar.add_task("pages", total=2 + 2 * len(found) + total)
            for path, text in site.files(session, found, base=base, images=f"{base}/i/"):
                _write(out / path, text.encode())
                names |= site.image_names(text, f"{base}/i/")
                bar.advance(task)
        for name in sorted(names):
            content = campaign_queries.image(session, name)
            if content is not None:
                _write(out / "i" / name, content)
    say(f"{total} issues of {len(found)} newsletters are in {out}; serve it at {base}")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as exc:
        raise UsersMistake(f"{path} can't be written: {exc.strerror}") from exc


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(help="Issues (.md, .html), folders or .zip files of them.")
    ],
    newsletter: Slug = None,
    at: Annotated[
        str | None, typer.Option(help="When it went out, where the file does not say: 2021-03-01.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would come in.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take old issues into the archive; nothing is sent.

    Number, title and date come from a Markdown issue's front matter, or from an HTML page's
    title, its dates and its file name (`issue-12.html`, `2021-03-01-title.html`). The export of
    a closed service is a folder or .zip of such files. What is there already is left as it is.

    Examples: `mailer archive import old/*.md`, `mailer archive import revue-export.zip --dry-run`
    """
    here = runtime()
    which = here.newsletter(newsletter)
    fallback = None if at is None else _day(at, which.timezone)
    told = [
        _take_in(here, which, old, fallback=fallback, dry_run=dry_run) for old in read_old(files)
    ]
    if as_json:
        emit_json(told)
    else:
        show_table(("file", "number", "at", "title", "result"), [[*row.values()] for row in told])
    if not told:
        raise UsersMistake("there is no .md or .html file in what was named")
    refused = [row for row in told if str(row["result"]).startswith("refused")]
    if refused:
        warn(f"mailer: {len(refused)} of {len(told)} could not be taken in")
        raise typer.Exit(FAILED)


def _day(text: str, timezone: str) -> datetime:
    """When a day begins in a zone; raises DayInvalid."""
    try:
        return times.moment(f"{date.fromisoformat(text)} 00:00", timezone)
    except ValueError as exc:
        raise DayInvalid(f"--at: {text!r} is no day; write it as 2021-03-01") from exc


def _take_in(
    here: Runtime, which: Newsletter, old: Old, *, fallback: datetime | None, dry_run: bool
) -> dict[str, object]:
    row: dict[str, object] = {"file": old.path, "number": None, "at": None, "title": ""}
    try:
        issue = old.understand(which, public_url=here.settings.public_url)
        moment = issue.at or fallback
        row |= {"number": issue.number, "at": moment, "title": issue.rendering.title}
        if moment is None:
            return row | {"result": "refused: it has no date; say --at 2021-03-01"}
        with here.database.read() as session:
            if campaign_queries.same_issue(
                session,
                which.id,
                issue_number=issue.number,
                checksum=issue.rendering.checksum,
            ):
                raise AlreadyScheduled
        if dry_run:
            return row | {"result": "would come in"}
        with here.database.write() as session:
            campaign_queries.keep_images(session, issue.images, now=datetime.now(UTC))
            add_old(
                session,
                issue.rendering,
                newsletter_id=which.id,
                number=issue.number,
                at=moment,
                timezone=which.timezone,
                now=datetime.now(UTC),
            )
    except AlreadyScheduled:
        return row | {"result": "there already"}
    except (IssueInvalid, RenderingFailed) as exc:
        return row | {"result": f"refused: {' '.join(str(exc).split())}"}
    return row | {"result": "in the archive"}
