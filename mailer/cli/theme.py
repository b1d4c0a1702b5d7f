"""`mailer theme`: begin a theme of one's own, list them, look at one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import completion, screenshots
from mailer.cli.newsletter_row import change
from mailer.cli.output import FAILED, MISTAKE, emit_json, fail, say, show_table
from mailer.cli.runtime import runtime
from mailer.issue.model import ParsedIssue
from mailer.issue.parse import parse, read
from mailer.render import theme as themes
from mailer.render.images import Gallery, LocalImage, gather
from mailer.render.model import NewsletterLook, SystemSlot
from mailer.render.preview import fill
from mailer.render.render import constants, render
from mailer.resources import templates

app = typer.Typer(
    help="Themes: what an issue looks like.", no_args_is_help=True, add_completion=False
)

_LOOK = NewsletterLook(
    name="Weekly Gradient",
    from_name="Weekly Gradient",
    postal_address="12 Example Street, 12345 Exampleton",
    url="https://newsletter.example/",
)
_SYSTEM = {
    SystemSlot.UNSUBSCRIBE_URL: "https://newsletter.example/unsubscribe-example",
    SystemSlot.ARCHIVE_URL: "https://newsletter.example/archive-example",
}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One theme of the list."""

    name: str
    summary: str
    folder: str


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    base: Annotated[
        str,
        typer.Option("--from", help="The theme to begin with.", autocompletion=completion.themes),
    ] = "letter",
) -> None:
    """Begin a theme of your own in ./themes/NAME, as a copy of another.

    Example: `mailer theme new ours --from magazine`
    """
    if not themes.valid_name(name):
        fail(f"{name!r} can't name a theme; use small letters, digits, - and _", code=MISTAKE)
    folder = themes.OWN / name
    source = themes.load(base).folder
    try:
        shutil.copytree(source, folder)
    except FileExistsError:
        fail(f"{folder} is there already; choose another name", code=MISTAKE)
    except OSError as exc:
        fail(f"{folder} can't be written: {exc.strerror}", code=MISTAKE)
    brand = folder / "brand.toml"
    text = brand.read_text(encoding="utf-8")
    brand.write_text(text.replace(f'theme "{base}"', f'theme "{name}"', 1), encoding="utf-8")
    say(f"{folder} is written; change {brand}, then: mailer theme preview {name}")


@app.command(name="list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the themes: Pressrun's, and yours in ./themes.

    Example: `mailer theme list`
    """
    found = [
        Listed(name=name, summary=themes.load(str(folder)).brand.summary, folder=str(folder))
        for name, folder in themes.known().items()
    ]
    if as_json:
        emit_json(found)
        return
    show_table(("Theme", "What it is", "Folder"), ((t.name, t.summary, t.folder) for t in found))


@app.command()
def preview(
    theme: Annotated[
        str,
        typer.Argument(
            help="Its name or folder.", show_default=False, autocompletion=completion.themes
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")] = Path("preview"),
    lang: Annotated[str, typer.Option(help="The language of the theme's own words.")] = "en",
    pictures: Annotated[
        bool, typer.Option("--screenshots", help="PNGs too: phone and desk, light and dark.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="List the files as JSON.")] = False,
) -> None:
    """Check a theme and write a page with every block in it; mistakes have file, line and column.

    Examples: `mailer theme preview ours`, `mailer theme preview magazine --screenshots --lang ar`
    """
    issue = _specimen(lang)
    images = gather(issue)
    page = _page(issue, theme, Gallery(images=images, base="images/"))
    # What is wrong only from right to left, or where nothing is optional, shall not wait.
    _page(replace(issue, front=replace(issue.front, lang="ar")), theme, Gallery(images=images))
    name = f"{Path(theme).name}-{lang}"
    written = [out / f"{name}.html"]
    try:
        out.mkdir(parents=True, exist_ok=True)
        written[0].write_text(page, encoding="utf-8", newline="\n")
        write_images(out, images.values())
        if pictures:
            written += screenshots.take({name: page}, out, images.values())
    except OSError as exc:
        fail(f"{out} can't be written: {exc.strerror}", code=FAILED)
    if as_json:
        emit_json([str(path) for path in written])
        return
    for path in written:
        say(str(path))


@app.command()
def use(
    theme: Annotated[
        str,
        typer.Argument(
            help="Its name or folder.", show_default=False, autocompletion=completion.themes
        ),
    ],
    newsletter: Annotated[
        str | None,
        typer.Option(
            "--newsletter",
            "-n",
            autocompletion=completion.newsletters,
            help="Which newsletter, if there are several.",
        ),
    ] = None,
) -> None:
    """Give a newsletter another theme, for the issues it sends from now on.

    Example: `mailer theme use magazine`
    """
    folder = themes.load(theme).folder
    here = runtime()
    which = here.newsletter(newsletter)
    change(here, which, {"theme": theme})
    say(f"{which.name} now looks like {folder}")


def write_images(out: Path, images: Iterable[LocalImage]) -> None:
    """Put local images where a page written to `out` looks for them."""
    for image in images:
        (out / "images").mkdir(exist_ok=True)
        (out / "images" / image.name).write_bytes(image.content)


def _specimen(lang: str) -> ParsedIssue:
    file = templates() / "sample" / "magazine" / "specimen.md"
    issue = parse(str(file), read(file))
    return replace(issue, front=replace(issue.front, lang=lang))


def _page(issue: ParsedIssue, theme: str, gallery: Gallery) -> str:
    rendering = render(issue, _LOOK, theme=theme, gallery=gallery)
    person = {"name": "Ada", "email": "ada@example.org", "id": 1, "attributes": {}}
    return fill(rendering, {"subscriber": person, **constants(issue, _LOOK)}, _SYSTEM).html
