"""Commands that are imported when they are asked for: `mailer --help` loads none of them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

from mailer.cli.help import polish, untype_flags

if TYPE_CHECKING:
    # Typer carries a click of its own; its classes are named here for the checker alone.
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter
    from typer._click.shell_completion import CompletionItem


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command lives: `attribute` of `module` is a Typer app (a group) or a function."""

    module: str
    attribute: str
    help: str
    panel: str


def lazy_group(places: dict[str, Place]) -> type[TyperGroup]:
    """A group class whose commands are these, in this order."""

    class LazyGroup(TyperGroup):
        """Loads a command's module when the command is used."""

        _listing = False

        def list_commands(self, ctx: Context) -> list[str]:
            """The names, in the order of the table."""
            return [*places]

        def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
            """The command itself, or, while it is only listed, what help shows of it."""
            place = places.get(cmd_name)
            if place is None:
                return None
            if self._listing:
                return TyperCommand(cmd_name, help=place.help, rich_help_panel=place.panel)
            return _load(cmd_name, place)

        def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
            """Show help without loading what it lists."""
            untype_flags(self)
            with self._only_listed():
                super().format_help(ctx, formatter)

        def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
            """Offer the names without loading what they name."""
            with self._only_listed():
                return super().shell_complete(ctx, incomplete)

        @contextmanager
        def _only_listed(self) -> Iterator[None]:
            self._listing = True
            try:
                yield
            finally:
                self._listing = False

    return LazyGroup


def _load(name: str, place: Place) -> Command:
    found = getattr(importlib.import_module(place.module), place.attribute)
    if isinstance(found, typer.Typer):
        command = typer.main.get_command(found)
    else:
        alone = typer.Typer(rich_markup_mode="markdown", add_completion=False)
        alone.command(name)(found)
        command = typer.main.get_command(alone)
    command.name = name
    polish(command)
    return command
