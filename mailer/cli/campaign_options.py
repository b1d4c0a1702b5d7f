"""Arguments and options that several commands of `mailer campaign` take."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli import completion

Id = Annotated[
    int,
    typer.Argument(
        help="The campaign's number.", show_default=False, autocompletion=completion.campaigns
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
