"""`mailer inbound`: the mail that comes back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import inbound_take
from mailer.cli.output import emit_json, show_table
from mailer.errors import InboundUnreadable
from mailer.feedback.inbound_message import messages_in
from mailer.feedback.understand import understand
from mailer.feedback.understood import RecipientReport, Understood

app = typer.Typer(
    help="Understand the mail that comes back: bounces, complaints, requests to unsubscribe.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def group() -> None:
    """Understand the mail that comes back: bounces, complaints, requests to unsubscribe."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One recipient of one message; where a message names none, its `recipient` is empty."""

    file: str
    kind: str
    recipient: str
    hard: bool
    status: str
    code: int
    reason: str
    feedback_type: str
    message_id: str
    remote_mta: str
    evidence: str


@app.command()
def parse(
    files: Annotated[
        list[Path], typer.Argument(help="Messages, or mboxes of them; `-` reads standard input.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON list, with a row a recipient.")
    ] = False,
) -> None:
    """Say what messages mean: for whom, hard or soft, and why. Nothing is recorded.

    Example: `mailer inbound parse bounce.eml --json`
    """
    rows = [row for file in files for message in _messages(file) for row in _rows(file, message)]
    if as_json:
        emit_json(rows)
        return
    show_table(
        ("file", "kind", "recipient", "hard", "status", "reason"),
        (
            (row.file, row.kind, row.recipient, _hardness(row), row.status or "-", row.reason)
            for row in rows
        ),
    )


def _hardness(row: _Row) -> str:
    if row.kind != "bounce":
        return "-"
    return "hard" if row.hard else "soft"


def _messages(file: Path) -> Iterator[Understood]:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as exc:
        why = exc.strerror or str(exc)
        raise InboundUnreadable(f"{file}: {why}; name a file that holds a message") from exc
    return map(understand, messages_in(content))


def _rows(file: Path, message: Understood) -> Iterator[_Row]:
    for report in message.recipients or (RecipientReport(recipient=""),):
        yield _Row(
            file=str(file),
            kind=message.kind,
            recipient=report.recipient,
            hard=report.hard,
            status=report.status,
            code=report.code,
            reason=report.reason,
            feedback_type=message.feedback_type,
            message_id=message.message_id,
            remote_mta=report.remote_mta,
            evidence=report.evidence,
        )


for command in (inbound_take.listen, inbound_take.fetch, inbound_take.read, inbound_take.unparsed):
    app.command()(command)
