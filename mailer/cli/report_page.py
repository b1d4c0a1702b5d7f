"""`--html FILE`: a report as a page of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.campaign import times
from mailer.cli.output import MISTAKE, err, fail
from mailer.errors import TimeInvalid
from mailer.report.page.html import as_html
from mailer.report.page.model import Page

Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a page with plots into this file: it needs nothing else, no network either.",
        dir_okay=False,
    ),
]
_START = b"<!doctype html>"


def write_page(page: Page, file: Path) -> None:
    """Write a page; it replaces a page, but never another kind of file."""
    try:
        if file.exists() and not _is_page(file):
            fail(f"{file}: is there and is no web page; name another file", code=MISTAKE)
        file.write_text(as_html(page), encoding="utf-8")
    except OSError as exc:
        fail(f"{file}: can't be written ({exc.strerror}); name another file", code=MISTAKE)
    err.print(f"{file}: written; open it in a browser", markup=False)


def _is_page(file: Path) -> bool:
    with file.open("rb") as there:
        start = there.read(len(_START))
    return not start or start.lower() == _START


def zone_of(name: str) -> ZoneInfo:
    """The time zone that a newsletter or campaign names; UTC where this machine knows none such."""
    try:
        return times.zone(name)
    except TimeInvalid:
        return ZoneInfo("UTC")
