"""What `--help` shows: examples to copy, paragraphs that flow, flags without a type."""

from __future__ import annotations

import io

import pytest
import typer
from rich.console import Console

from docs.write import commands
from mailer.cli import output
from mailer.cli.app import COMMANDS, app, main
from mailer.cli.help import examples_apart


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> list[str]:
    monkeypatch.setattr("sys.argv", ["mailer", *words, "--help"])
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_each_example_stands_on_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, capsys, "campaign", "schedule")
    assert "• mailer campaign schedule issue.md --now" in lines
    assert '• mailer campaign schedule issue.md --at "tomorrow 9:00"' in lines
    # What stands in brackets is no markup.
    assert any("[fuse]" in line for line in lines)
    assert not any("`" in line for line in lines)


@pytest.mark.parametrize("words", [(), ("campaign",), ("campaign", "schedule"), ("serve",)])
def test_flags_ask_for_no_value(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, capsys, *words)
    assert not any("bool" in line for line in lines)
    assert any(line.startswith("│ --help") for line in lines)


@pytest.mark.parametrize("group", list(COMMANDS))
def test_completion_is_the_whole_programs_alone(group: str) -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    command = root.get_command(typer.Context(root), group)
    assert command is not None
    assert not any("completion" in str(each.name) for each in command.params)


def test_a_newsletter_is_named_alike_everywhere() -> None:
    for name, command in commands():
        for each in command.params:
            is_newsletter = "newsletter" in str(getattr(each, "help", "")).split(",")[0].lower()
            if is_newsletter and "--to" in each.opts:
                assert "--newsletter" in each.opts, name


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ("Say.\n\nExample: `mailer a`", "Say.\n\nExample:\n\n- `mailer a`"),
        ("Examples: `mailer a`,\n`mailer b\n  c`", "Examples:\n\n- `mailer a`\n- `mailer b c`"),
        ("Example: `mailer a` and then wait", "Example: `mailer a` and then wait"),
        ("For example: `mailer a`", "For example: `mailer a`"),
        ("", ""),
    ],
)
def test_examples_become_a_list(text: str, lists: str) -> None:
    assert examples_apart(text) == lists


def test_a_table_on_a_narrow_terminal_cuts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        output, "out", Console(file=screen, force_terminal=True, width=30, color_system=None)
    )
    url = "https://news.example.com/webhooks/amazon_ses"
    output.show_table(("provider", "url"), [("amazon_ses", url)])
    assert url in "".join(screen.getvalue().replace("amazon_ses  ", "", 1).split()[2:])
