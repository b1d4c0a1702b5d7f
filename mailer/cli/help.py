"""What `--help` shows: paragraphs that flow, and each example on a line of its own to copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    from typer._click.core import Command

_CODE = re.compile(r"`[^`]+`")
#: A paragraph of commands and nothing else; where words stand between them, it stays as it is.
_EXAMPLES = re.compile(r"Examples?:\s+`[^`]+`(?:,\s+`[^`]+`)*\.?")


def examples_apart(text: str) -> str:
    """Make paragraphs of examples into lists, a command each; all else stays as it is."""
    return "\n\n".join(_paragraph(each) for each in text.split("\n\n"))


def _paragraph(text: str) -> str:
    if not _EXAMPLES.fullmatch(text.strip()):
        return text
    commands = [" ".join(each.split()) for each in _CODE.findall(text)]
    head = "Examples:" if len(commands) > 1 else "Example:"
    return "\n".join((head, "", *(f"- {command}" for command in commands)))


def polish(command: Command) -> None:
    """Show this command's help, and that of all below it, as Markdown.

    Typer takes the mode from the application alone, and a group's commands from none: there a line
    would break where the source does, and `code` keep its ticks.
    """
    if isinstance(command, TyperGroup | TyperCommand):
        command.rich_markup_mode = "markdown"
        untype_flags(command)
    if command.help:
        command.help = examples_apart(command.help)
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            polish(each)


#: As the root has them; a command's own are made when they are asked for, and kept.
HELP_NAMES = ["-h", "--help"]


def untype_flags(command: Command) -> None:
    """Leave out the type of options that take no value: `<bool>` reads as if one was wanted."""
    asked = command.get_help_option(typer.Context(command, help_option_names=HELP_NAMES))
    for each in (*command.params, asked):
        if isinstance(each, TyperOption) and each.is_flag:
            each.metavar = ""
