"""Writes man/mailer.1 from the program's own help: `python -m docs.write`."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import groupby

import typer

from docs.write import commands, default_told
from mailer import __version__
from mailer.cli.app import COMMANDS, app

#: When the page's form last changed; what it says changes with the program.
DATE = "2026-11-28"
_SETTINGS = (
    ("PRESSRUN_CONFIG", "Which pressrun.toml to read, where --config does not say it."),
    ("PRESSRUN_DATABASE_URL", "The database; every setting is such a variable and beats the file."),
)
_FILES = (
    ("pressrun.toml", "The settings, as `mailer init` writes them."),
    ("pressrun.keys", "The installation's keys: carry them along with the database."),
    ("pressrun.db", "The database, unless `database_url` names another."),
)
_CODES = (
    ("0", "Done."),
    ("1", "The job failed."),
    ("2", "Your mistake; one line says what, where, and how to mend it."),
    ("130", "Ended by Ctrl-C."),
)


def page() -> str:
    """The manual page, in the man(7) language."""
    lines = [
        ".\\\" Written by `python -m docs.write` from the program's own help.",
        f'.TH MAILER 1 "{DATE}" "pressrun {__version__}" "User Commands"',
        ".SH NAME",
        "mailer \\- send a newsletter to each of its subscribers, exactly once",
        ".SH SYNOPSIS",
        ".B mailer",
        "[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(inspect.cleandoc(app.info.help or "")),
        ".SH OPTIONS",
        *_options(_root().params),
    ]
    for panel, found in groupby(commands(), key=lambda named: _panel(named[0])):
        lines.append(f".SH {panel.upper()}")
        for name, command in found:
            lines += [f".SS {_plain(name)}", *_command(command)]
    lines += [".SH EXIT STATUS", *_terms(_CODES), ".SH ENVIRONMENT", *_terms(_SETTINGS)]
    lines += [".SH FILES", *_terms(_FILES)]
    return "\n".join(lines) + "\n"


def _root() -> typer.core.TyperGroup:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    return root


def _panel(name: str) -> str:
    return COMMANDS[name.split()[1]].panel


def _command(command: typer.core.TyperCommand) -> Iterator[str]:
    yield from _paragraphs(inspect.cleandoc(command.help or ""))
    yield from _options(command.params)


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if paragraph.startswith("- "):
            for item in paragraph.split("\n"):
                yield from (".IP \\(bu 2", *_inline(item.removeprefix("- ")))
            continue
        if number:
            yield ".PP"
        yield from _inline(paragraph)


def _options(parameters: object) -> Iterator[str]:
    assert isinstance(parameters, list)
    for each in parameters:
        if each.name == "help":
            continue
        if isinstance(each, typer.core.TyperArgument):
            title = f"\\fI{_plain(each.metavar or (each.name or '').upper())}\\fR"
        else:
            names = (*each.opts, *each.secondary_opts)
            title = ", ".join(f"\\fB{_plain(name)}\\fR" for name in names)
        # Said anew, because a list of examples above leaves its own indent behind.
        yield from (".TP 7n", title, *_inline(f"{each.help or ''}{default_told(each)}"))


def _terms(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for term, words in rows:
        yield from (".TP", f"\\fB{_plain(term)}\\fR", *_inline(words))


def _inline(text: str) -> Iterator[str]:
    """The lines of a paragraph, its `code` in bold; none can be taken for a request."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    said = "".join(
        f"\\fB{_plain(part[1:-1])}\\fR" if part.startswith("`") else _plain(part) for part in parts
    )
    for line in textwrap.wrap(said, 78, break_long_words=False, break_on_hyphens=False):
        yield f"\\&{line}" if line.startswith((".", "'")) else line


def _plain(text: str) -> str:
    """Words that mean nothing to roff: backslashes, and dashes that are typed."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
