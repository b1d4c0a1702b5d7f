"""`mailer issue preview`: an issue in the browser while it is written."""

from __future__ import annotations

import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import completion
from mailer.cli.engine import until_signalled
from mailer.cli.issue_look import newsletter_for
from mailer.cli.output import say
from mailer.cli.runtime import runtime
from mailer.issue.parse import read
from mailer.lint.lint import SAMPLE_LOOK
from mailer.render import theme as themes
from mailer.settings import WebSettings
from mailer.web.preview.app import create_preview
from mailer.web.preview.desk import Desk
from mailer.web.preview.readers import Readership
from mailer.web.server import bind, server
from subscribers.model import Newsletter

#: Shown where there is no database.
_SAMPLE = Newsletter(
    id=1,
    slug="weekly-gradient",
    name=SAMPLE_LOOK.name,
    from_name=SAMPLE_LOOK.from_name,
    from_address=SAMPLE_LOOK.from_address,
    postal_address=SAMPLE_LOOK.postal_address,
    url=SAMPLE_LOOK.url,
)
_SAMPLE_URL = "https://newsletter.example"
PORT = 8026


def preview(
    file: Annotated[Path, typer.Argument(help="The issue file.", show_default=False)],
    to: Annotated[
        str | None,
        typer.Option(
            "--newsletter",
            "--to",
            autocompletion=completion.newsletters,
            help="The newsletter it is for, if there are several.",
        ),
    ] = None,
    theme: Annotated[
        str | None, typer.Option(help="Begin with another theme.", autocompletion=completion.themes)
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port on this machine; 0 takes any.")
    ] = PORT,
    open_: Annotated[bool, typer.Option("--open", help="Open the browser at once.")] = False,
) -> None:
    """Show the issue in the browser and follow each save; only this machine can see it.

    On the page: desktop and phone, dark mode, images off, plain text, the raw message; for a
    sample or a real subscriber, each condition flipped; the problems, each a click from its line.
    Ctrl-C ends it. Nothing is sent, nothing is changed.

    Examples: `mailer issue preview issue.md --open`,
    `mailer issue preview issue.md --theme magazine --port 0`
    """
    read(file)
    desk = _desk(file, to)
    if theme is not None:
        desk.newsletter = replace(desk.newsletter, theme=themes.load(theme).name)
    with bind(WebSettings(host="127.0.0.1", port=port)) as listener:
        port = listener.getsockname()[1]
        with until_signalled() as signalled:
            app, path = create_preview(desk, port=port, stop=lambda: signalled.is_set)
            address = f"http://127.0.0.1:{port}{path}"
            say(f"{file} is shown at {address} (Ctrl-C ends it)")
            if open_:
                webbrowser.open(address)
            server(app, stop=lambda: signalled.is_set).run(sockets=[listener])


def _desk(file: Path, to: str | None) -> Desk:
    """The issue of this newsletter or the only one; of a sample where there is no database."""
    newsletter = newsletter_for(to)
    if newsletter is None:
        readership = Readership(newsletter=_SAMPLE)
        return Desk(file=file, newsletter=_SAMPLE, public_url=_SAMPLE_URL, readership=readership)
    current = runtime()
    return Desk(
        file=file,
        newsletter=newsletter,
        public_url=current.settings.public_url,
        inbound_domain=current.settings.inbound_domain,
        readership=Readership(newsletter=newsletter, database=current.database),
    )
