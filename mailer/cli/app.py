"""The command `mailer`: the table of its commands, and how mistakes are told."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mailer import __version__
from mailer.cli import config as chosen
from mailer.cli import streams
from mailer.cli.help import HELP_NAMES
from mailer.cli.lazy import Place, lazy_group
from mailer.cli.output import FAILED, MISTAKE, err
from subscribers.errors import PressrunError, UsersMistake

HELP = """Pressrun: send a newsletter to each of your subscribers, exactly once.

Start with `mailer init`, or see everything at work with `mailer demo`.

`mailer COMMAND --help` has examples; `mailer --install-completion` teaches your shell to complete.
"""


def _place(module: str, attribute: str, panel: str, words: str) -> Place:
    return Place(module=f"mailer.cli.{module}", attribute=attribute, panel=panel, help=words)


COMMANDS = {
    "init": _place("init", "init", "Start", "Set up an installation and its newsletter."),
    "demo": _place("demo", "demo", "Start", "See everything at work on this machine, for real."),
    "newsletter": _place("newsletter", "app", "Start", "The newsletters: add, show, change."),
    "issue": _place("issue", "app", "Write and send", "Begin an issue, check it, render it."),
    "theme": _place("theme", "app", "Write and send", "What an issue looks like."),
    "campaign": _place(
        "campaign", "app", "Write and send", "Test, schedule, watch and stop what goes out."
    ),
    "archive": _place(
        "archive", "app", "Write and send", "What went out, as a site for everybody."
    ),
    "report": _place(
        "report", "app", "Write and send", "How a newsletter grows; issues side by side."
    ),
    "lanes": _place("lanes", "app", "Deliver", "How fast mail goes, by provider and relay."),
    "relay": _place("relay", "app", "Deliver", "What the relays offer; try one."),
    "dkim": _place("dkim", "app", "Deliver", "Keys that sign mail, and their DNS records."),
    "subscribers": _place(
        "subscribers", "app", "People", "Add, import, look up, unsubscribe, erase."
    ),
    "suppressions": _place(
        "suppressions", "app", "People", "Addresses and domains that must never be mailed."
    ),
    "privacy": _place(
        "privacy", "app", "People", "Hand out or erase what is known of a person; what is kept."
    ),
    "segment": _place(
        "segment", "app", "People", "Describe people in words: count, show, save them."
    ),
    "serve": _place("processes", "serve", "Run", "Web pages, clock and worker in one process."),
    "web": _place("processes", "web", "Run", "Unsubscribe pages, view in browser, webhooks."),
    "worker": _place("processes", "worker", "Run", "Send what is due; run as many as you like."),
    "clock": _place("processes", "clock", "Run", "Start what is due and wake the workers."),
    "doctor": _place("doctor", "doctor", "Run", "What is wrong here, and how to mend it."),
    "webhooks": _place(
        "webhooks",
        "app",
        "What comes back",
        "Where providers report, and whether it is understood.",
    ),
    "bounces": _place(
        "bounces", "app", "What comes back", "What bounces did to people, judged once more."
    ),
    "inbound": _place("inbound", "app", "What comes back", "Mail that comes back: what it means."),
    "backup": _place("backup", "backup", "Keep", "Database and keys in one file, at any time."),
    "restore": _place("backup", "restore", "Keep", "Fill an empty database from a backup."),
    "export": _place("export", "export_app", "Keep", "Everything in an open format."),
    "import": _place("export", "import_app", "Keep", "Everything back from an export."),
    "db": _place("database", "app", "Keep", "The database's schema."),
}

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": HELP_NAMES},
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pressrun {__version__}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Read this file instead of ./pressrun.toml.", dir_okay=False),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell more of what is done.")
    ] = False,
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """What holds for every command."""
    chosen.use(config)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


def main() -> None:
    """Run `mailer`; exit codes: 0 done, 1 the job failed, 2 the user's mistake."""
    streams.prepare()
    try:
        # Typer would draw a box of seven lines around a mistyped option.
        sys.exit(app(prog_name="mailer", standalone_mode=False))
    except typer.TyperException as exc:
        _tell_usage(exc)
    except typer.Abort:
        err.print("Aborted.")
        sys.exit(FAILED)
    except UsersMistake as exc:
        err.print(f"mailer: {exc}", markup=False)
        sys.exit(MISTAKE)
    except PressrunError as exc:
        err.print(f"mailer: {exc}", markup=False)
        sys.exit(FAILED)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        sys.exit(FAILED)


def _tell_usage(exc: typer.TyperException) -> NoReturn:
    """One line: what can't be understood of the command line, and who explains it."""
    words = " ".join(exc.format_message().split()).replace(": Value error, ", ": ")
    if words:  # without words it is a group without a command, whose help is out already
        context = getattr(exc, "ctx", None)
        command = context.command_path if context else "mailer"
        end = "" if words.endswith((".", "?", "!")) else "."
        err.print(f"mailer: {words}{end} See `{command} --help`.", markup=False)
    sys.exit(exc.exit_code)
