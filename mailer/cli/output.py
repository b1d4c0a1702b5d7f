"""How commands speak: tables and bars on a terminal, plain lines in a pipe, JSON when asked."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.progress import Progress

#: Exit codes: 0 done, 1 the job failed, 2 the user's mistake.
FAILED = 1
MISTAKE = 2


class Voice:
    """A stream for people. Rich comes with the first word: a worker that has nothing to say is
    smaller without it."""

    def __init__(self, *, stderr: bool) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> Console:
        """What writes."""
        from rich.console import Console

        return Console(stderr=self._stderr, highlight=False, soft_wrap=True)

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads along."""
        return self.console.is_terminal

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self.console.width

    @property
    def options(self) -> ConsoleOptions:
        """What the terminal can show."""
        return self.console.options

    def print(self, *words: object, **options: Any) -> None:
        """Write, as `Console.print` does."""
        self.console.print(*words, **options)


out = Voice(stderr=False)
err = Voice(stderr=True)


def say(text: str = "") -> None:
    """One line for people, without markup."""
    out.print(text, markup=False)


def warn(text: str) -> None:
    """One line on standard error."""
    err.print(text, markup=False, style="yellow" if err.is_terminal else None)


def fail(text: str, *, code: int = FAILED) -> NoReturn:
    """Say what is wrong on standard error and end with this exit code."""
    err.print(f"mailer: {text}", markup=False, style="red" if err.is_terminal else None)
    raise typer.Exit(code)


def emit_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def emit_json_lines(values: Iterable[object]) -> None:
    """One JSON document a line, as they come."""
    for value in values:
        sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")


def plain(value: object) -> object:
    """A value as JSON knows them: dataclasses by field, times in ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    return value


def show_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal, tab-separated lines in a pipe."""
    if not out.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join(_cell(cell) for cell in row) + "\n")
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        # A URL that ends in … can't be copied.
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell).replace("[", r"\[") for cell in row))
    out.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S %Z")
    return str(value).replace("\t", " ").replace("\n", " ")


@contextmanager
def progress(description: str, *, total: int | None) -> Iterator[Progress]:
    """A progress bar on a terminal, nothing in a pipe; `advance`/`update` its first task."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=err.console,
        disable=not err.is_terminal,
        transient=False,
    )
    with bar:
        bar.add_task(description, total=total)
        yield bar


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what can't be undone; `--yes` answers. Ends the command on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Nobody is here to answer: add --yes", code=MISTAKE)
    if not typer.confirm(question):
        fail("nothing was done", code=MISTAKE)
