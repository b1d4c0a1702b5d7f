"""Writes pages from the program itself, and the tutorial from its test: `python -m docs.write`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from mailer.cli.app import app
from mailer.issue.rules import Rule
from mailer.settings import Settings
from tests.acceptance.first_hour.story import HEAD, STORY
from tests.acceptance.first_hour.telling import page as story_page

DOCS = Path(__file__).parent
MAN = DOCS.parent / "man" / "mailer.1"
_RULES = "## Rules\n\n*Written by `python -m docs.write` from `mailer/issue/rules.py`.*\n"
_FIELD = re.compile(r"((?:    #: .*\n)*)    (\w+): ")


def settings_page() -> str:
    """Every setting with its variable, default and meaning."""
    lines = [
        "# Settings",
        "",
        "*Written by `python -m docs.write` from `mailer/settings.py`.*",
        "",
        "`mailer init` writes a commented `pressrun.toml`. It is read from the current folder, or",
        "from where `--config` or `PRESSRUN_CONFIG` says; relative paths in it start from its own",
        "folder. Each setting is also a variable, which beats the file. A secret may stand in a",
        "file of its own: `…_file` in the file, `…_FILE` as a variable. A name that is none is an",
        "error, not a silent nothing.",
    ]
    for prefix, section in _sections():
        title = f"`[{prefix}]`" if prefix else "At the top of the file"
        lines += ["", f"## {title}", "", inspect.getdoc(section) or "", ""]
        if named := own_fields(section):
            lines += ["| setting | variable | default | |", "| --- | --- | --- | --- |"]
            lines += [_setting(prefix, section, name) for name in named]
    return "\n".join(lines) + "\n"


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", Settings
    yield from _inside(Settings, "")


def _inside(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections within a section; `a.b` in the file is `A__B` in a variable."""
    for name, field in model.model_fields.items():
        if section := _section_of(field):
            yield f"{prefix}{name}", section
            yield from _inside(section, f"{prefix}{name}.")


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def own_fields(section: type[BaseModel]) -> list[str]:
    """The settings of a section, without the sections below it."""
    return [name for name, field in section.model_fields.items() if not _section_of(field)]


def meanings(section: type[BaseModel]) -> dict[str, str]:
    """What the `#:` comments above a section's settings say."""
    found = _FIELD.findall(inspect.getsource(section))
    return {name: " ".join(re.findall(r"#: (.*)", comment)) for comment, name in found}


def _setting(prefix: str, section: type[BaseModel], name: str) -> str:
    field = section.model_fields[name]
    variable = "PRESSRUN_" + "__".join(part for part in (*prefix.split("."), name) if part).upper()
    what = " ".join(filter(None, (meanings(section).get(name), _bounds(field))))
    return f"| `{name}` | `{variable}` | {_default(field)} | {what} |"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None or isinstance(value, SecretStr):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _bounds(field: FieldInfo) -> str:
    kinds = (field.annotation, *get_args(field.annotation))
    if literal := next((kind for kind in kinds if get_origin(kind) is Literal), None):
        choices = get_args(literal)
        return f"One of {', '.join(f'`{each}`' for each in choices)}."
    names = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
    limits = [
        f"{words} {getattr(limit, name)}"
        for limit in field.metadata
        for name, words in names.items()
        if hasattr(limit, name)
    ]
    return f"({', '.join(limits)})" if limits else ""


def cli_page() -> str:
    """Every command with its options and an example."""
    lines = [
        "# The command line",
        "",
        "*Written by `python -m docs.write` from the program's own help.*",
        "",
        "Exit codes: 0 done, 1 the job failed, 2 your mistake (one line says what, where and how",
        "to mend it), 130 ended by Ctrl-C. Commands that print data take `--json`; tables and",
        "progress bars become plain lines in a pipe. `mailer --config FILE COMMAND` reads another",
        "`pressrun.toml`, `mailer --verbose COMMAND` tells more.",
        "",
        "`mailer --install-completion` teaches bash, zsh or fish to complete commands and options,",
        "the numbers of campaigns, and the names of newsletters, themes and relays; for a package,",
        "`_MAILER_COMPLETE=source_zsh mailer` prints what it installs. `man mailer` shows what is",
        "written here, too, where `mailer` is on your `PATH`.",
    ]
    for name, command in commands():
        lines += ["", f"## {name}", "", inspect.cleandoc(command.help or "")]
        rows = [_parameter(each) for each in command.params if each.name != "help"]
        if rows:
            lines += ["", "| | |", "| --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Every command that does something, with its whole name."""
    yield from _below("mailer", typer.main.get_command(app))


def _below(name: str, command: object) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    if isinstance(command, typer.core.TyperGroup):
        context = typer.Context(command)
        for each in command.list_commands(context):
            yield from _below(f"{name} {each}", command.get_command(context, each))
    elif isinstance(command, typer.core.TyperCommand):
        yield name, command


def _parameter(parameter: object) -> str:
    words = str(getattr(parameter, "help", None) or "")
    if isinstance(parameter, typer.core.TyperArgument):
        shown = parameter.metavar or (parameter.name or "").upper()
        optional = "" if parameter.required else " May be left out."
        return f"| `{shown}` | {words}{optional} |"
    assert isinstance(parameter, typer.core.TyperOption)
    shown = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    return f"| {shown} | {words}{default_told(parameter)} |"


def default_told(parameter: object) -> str:
    """What to say of an option's default: words and numbers tell something, flags do not."""
    default = getattr(parameter, "default", None)
    told = isinstance(default, (str, int)) and not isinstance(default, bool) and default != ""
    return f" Default: `{default}`." if told else ""


def linter_page() -> str:
    """Every rule of `mailer issue check`; the text above the table is kept as it is."""
    page = (DOCS / "linter.md").read_text(encoding="utf-8")
    head = page[: page.index(_RULES) + len(_RULES)]
    lines = ["", "| rule | | what is found |", "| --- | --- | --- |"]
    lines += [f"| `{rule}` | {rule.severity} | {rule.summary} |" for rule in Rule]
    return head + "\n".join(lines) + "\n"


def tutorial_page() -> str:
    """The story that `tests/acceptance/test_first_hour.py` plays."""
    return story_page(STORY, head=HEAD)


def main() -> None:
    """Write the pages."""
    from docs import man, vocabulary

    MAN.parent.mkdir(exist_ok=True)
    MAN.write_text(man.page(), encoding="utf-8")
    (DOCS / "events.md").write_text(vocabulary.page(), encoding="utf-8")
    (DOCS / "settings.md").write_text(settings_page(), encoding="utf-8")
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")
    (DOCS / "linter.md").write_text(linter_page(), encoding="utf-8")
    (DOCS / "tutorial.md").write_text(tutorial_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
