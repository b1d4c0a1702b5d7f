"""What a story is made of, and the page that it becomes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A heading."""

    title: str


@dataclass(frozen=True, kw_only=True)
class Say:
    """Words for the reader alone."""

    words: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """A command, as the reader types it.

    `shows` are lines of what it says, in order; `…` in them stands for anything. `code` is how
    it ends.
    """

    command: str
    shows: tuple[str, ...] = ()
    code: int = 0


@dataclass(frozen=True, kw_only=True)
class Write:
    """A file that the reader writes."""

    file: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Lines that the reader puts in the place of others."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Keep:
    """A command that keeps running, in a terminal of its own; `stops` ends it."""

    command: str
    stops: bool = False


@dataclass(frozen=True, kw_only=True)
class Happens:
    """What others do meanwhile, by its name in `World`; the page tells it in these words."""

    what: str
    words: str = ""


Step = Chapter | Say | Run | Write | Edit | Keep | Happens

_LANGUAGES = {".md": "markdown", ".toml": "toml"}


def page(story: Sequence[Step], *, head: str) -> str:
    """The story as Markdown; commands that follow each other stand in one block."""
    parts = [head]
    for runs, steps in groupby(story, lambda step: isinstance(step, Run)):
        printed = [_printed(step) for step in steps]
        parts += [_block("", "\n\n".join(printed))] if runs else printed
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _printed(step: Step) -> str:
    match step:
        case Chapter(title=title):
            return f"## {title}"
        case Say(words=words) | Happens(words=words):
            return textwrap.fill(words, 100, break_on_hyphens=False, break_long_words=False)
        case Run(command=command, shows=shows):
            return "\n".join([f"$ {command}", *shows])
        case Write(file=file, content=content):
            return f"`{file}`:\n\n" + _block(_language(file), content.rstrip())
        case Edit(file=file, new=new, old=old):
            return f"In `{file}`, in place of `{old.strip()}`:\n\n" + _block(
                _language(file), new.strip()
            )
        case Keep(command=command, stops=False):
            return "In a terminal of its own:\n\n" + _block("", f"$ {command}")
        case Keep():
            return "Press Ctrl-C there: it lets what flies land, and ends."


def _language(file: str) -> str:
    return next((word for end, word in _LANGUAGES.items() if file.endswith(end)), "")


def _block(language: str, *lines: str) -> str:
    return "\n".join([f"```{language}", *lines, "```"])
