"""`mailer issue`: begin an issue, check it, look at it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import completion, issue_add, issue_check, issue_new, issue_preview, screenshots
from mailer.cli.issue_look import look_for
from mailer.cli.output import FAILED, emit_json, err, fail, say
from mailer.cli.theme import write_images
from mailer.issue.parse import parse, read
from mailer.render import images as local_images
from mailer.render.images import Gallery, LocalImage
from mailer.render.model import NewsletterLook, Rendering, SystemSlot
from mailer.render.preview import Filled, fill
from mailer.render.render import constants, render

app = typer.Typer(
    help="Write issues: begin one, check it, render it to look at.",
    no_args_is_help=True,
    add_completion=False,
)


app.command(name="new")(issue_new.new)
app.command(name="add")(issue_add.add)
app.command(name="enrich")(issue_add.enrich)
app.command(name="check")(issue_check.check)
app.command(name="preview")(issue_preview.preview)


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """Where the parts of a rendered issue lie."""

    html: str
    text: str
    eml: str
    subject: str
    html_bytes: int
    screenshots: tuple[str, ...] = ()


@app.command(name="render")
def render_(
    file: Annotated[Path, typer.Argument(help="The issue file.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--newsletter",
            "--to",
            autocompletion=completion.newsletters,
            help="The newsletter whose name and address to show.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The newsletter's name instead.")] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="The sender's address instead.")
    ] = None,
    postal: Annotated[str | None, typer.Option(help="The postal address instead.")] = None,
    url: Annotated[str | None, typer.Option(help="The newsletter's page instead.")] = None,
    theme: Annotated[
        str | None, typer.Option(help="Another theme.", autocompletion=completion.themes)
    ] = None,
    subscriber: Annotated[str, typer.Option(help="The name of the pretended subscriber.")] = "",
    pictures: Annotated[
        bool, typer.Option("--screenshots", help="PNGs too: 375 and 700 pixels, light and dark.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="List the files as JSON.")] = False,
) -> None:
    """Write HTML, plain text and a message (.eml) to look at; links in them lead nowhere.

    Examples: `mailer issue render issue.md --out preview`,
    `mailer issue render issue.md --out preview --name "Weekly Gradient" --subscriber Ada`,
    `mailer issue render issue.md --out preview --theme magazine --screenshots`
    """
    look, own_theme = look_for(to)
    given = {"name": name, "from_address": sender, "postal_address": postal, "url": url}
    look = replace(look, **{key: value for key, value in given.items() if value is not None})
    if name is not None:
        look = replace(look, from_name=name)
    issue = parse(str(file), read(file))
    for problem in issue.warnings:
        err.print(str(problem), markup=False)
    images = local_images.gather(issue)
    gallery = Gallery(images=images, base="images/")
    rendering = render(issue, look, theme=theme or own_theme, gallery=gallery)
    person = {"name": subscriber, "email": "reader@example.org", "id": 1, "attributes": {}}
    base = look.url.rstrip("/")
    filled = fill(
        rendering,
        {"subscriber": person, **constants(issue, look)},
        {
            SystemSlot.UNSUBSCRIBE_URL: f"{base}/unsubscribe-example",
            SystemSlot.ARCHIVE_URL: f"{base}/archive-example",
            SystemSlot.PREFERENCES_URL: f"{base}/preferences-example",
        },
    )
    message = _message(filled, rendering, look, images.values())
    written = _write(out, file.stem, filled, message, images.values())
    if pictures:
        taken = screenshots.take({file.stem: filled.html}, out, images.values())
        written = replace(written, screenshots=tuple(map(str, taken)))
    if as_json:
        emit_json(written)
        return
    say(f"subject: {written.subject}")
    for path in (written.html, written.text, written.eml, *written.screenshots):
        say(path)


def _message(
    filled: Filled, rendering: Rendering, look: NewsletterLook, images: Iterable[LocalImage]
) -> EmailMessage:
    """A message for a mail client to show; the one that is sent is composed elsewhere."""
    html = filled.html
    for image in images:
        html = html.replace(f"images/{image.name}", f"cid:{image.content_id}")
    message = EmailMessage(policy=SMTP)
    message["Subject"] = filled.subject
    message["From"] = formataddr((look.from_name, look.from_address))
    message["To"] = "reader@example.org"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Content-Language"] = rendering.lang
    message.set_content(filled.text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    page = message.get_payload()[1]  # type: ignore[index]
    for image in images:
        kind, subtype = image.media_type.split("/")
        page.add_related(image.content, kind, subtype, cid=f"<{image.content_id}>")  # type: ignore[union-attr]
    return message


def _write(
    out: Path, stem: str, filled: Filled, message: EmailMessage, images: Iterable[LocalImage]
) -> Rendered:
    paths = {suffix: out / f"{stem}.{suffix}" for suffix in ("html", "txt", "eml")}
    try:
        out.mkdir(parents=True, exist_ok=True)
        paths["html"].write_text(filled.html, encoding="utf-8", newline="\n")
        paths["txt"].write_text(filled.text, encoding="utf-8", newline="\n")
        paths["eml"].write_bytes(message.as_bytes())
        write_images(out, images)
    except OSError as exc:
        fail(f"{out} can't be written: {exc.strerror}", code=FAILED)
    return Rendered(
        html=str(paths["html"]),
        text=str(paths["txt"]),
        eml=str(paths["eml"]),
        subject=filled.subject,
        html_bytes=len(filled.html.encode()),
    )
