"""Every command and setting is documented, and the pages say what the program says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from docs import man, vocabulary, write
from mailer.delivery.model import Phase

ROOT = Path(__file__).parents[1]


def is_vocabulary(kind: object) -> bool:
    """One of our own enumerations that the page has a table of."""
    return (
        isinstance(kind, type)
        and issubclass(kind, StrEnum)
        and kind.__module__.startswith(("mailer.", "subscribers."))
        and kind is not Phase
    )


COMMANDS = dict(write.commands())
SECTIONS: list[type[BaseModel]] = [section for _, section in write._sections()]
VOCABULARY = [kind for kind in vars(vocabulary).values() if is_vocabulary(kind)]
FENCED = re.MULTILINE | re.DOTALL
PROSE = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "templates/README.md"]


def test_there_is_something_to_document() -> None:
    assert {"mailer init", "mailer campaign schedule", "mailer db upgrade"} <= COMMANDS.keys()
    assert len(SECTIONS) >= 5


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    help_ = COMMANDS[name].help or ""
    examples = re.findall(r"`(mailer [^`]+)`", help_.partition("Example")[2])
    assert examples
    assert all(" ".join(example.split()).startswith(name) for example in examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [each for each in COMMANDS[name].params if each.name != "help"]
    silent = [each.name for each in options if not getattr(each, "help", None)]
    assert silent == []


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_setting_says_what_it_does(section: type[BaseModel]) -> None:
    meanings = write.meanings(section)
    assert [name for name in write.own_fields(section) if not meanings.get(name)] == []


@pytest.mark.parametrize("page", ["settings", "cli", "linter", "tutorial"])
def test_the_page_is_what_the_program_says(page: str) -> None:
    written = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert written == getattr(write, f"{page}_page")(), "run: make docs"


def test_the_manual_page_is_what_the_program_says() -> None:
    assert write.MAN.read_text(encoding="utf-8") == man.page(), "run: make docs"


def test_the_page_of_events_is_what_the_code_says() -> None:
    written = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert written == vocabulary.page(), "run: make docs"


@pytest.mark.parametrize("kind", VOCABULARY, ids=lambda kind: kind.__name__)
def test_every_word_of_the_vocabulary_has_its_sentence(kind: type[StrEnum]) -> None:
    told = vocabulary.sentences(kind)
    assert [*told] == [*kind]
    assert [word for word, sentence in told.items() if not sentence.endswith(".")] == []


def commands_in(file: Path) -> Iterator[str]:
    """What stands as a command in code blocks and between back-ticks."""
    text = file.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?$(.*?)^```$", text, FENCED)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=FENCED))
    for line in [*spans, *(line for block in blocks for line in block.splitlines())]:
        for part in re.split(r"&&|\|\||;|\|", line.partition("  #")[0]):
            if re.match(r"\s*(\.venv/bin/)?mailer \S", part):
                yield part.strip().removeprefix(".venv/bin/")


@pytest.mark.parametrize("file", PROSE, ids=lambda file: file.name)
def test_every_command_in_the_pages_exists(file: Path) -> None:
    for text in commands_in(file):
        words = [word for word in shlex.split(text.replace("…", "")) if word != "mailer"]
        if words[:1] == ["--config"]:
            words = words[2:]
        if not words or words[0].startswith("-") or words[0].isupper():
            continue
        names = [" ".join(["mailer", *words[:count]]) for count in (1, 2, 3)]
        command = next((COMMANDS[name] for name in reversed(names) if name in COMMANDS), None)
        group = any(name.startswith(f"{names[0]} ") for name in COMMANDS) and len(words) == 1
        assert command or group, f"{file.name}: {text}"
        assert_options_exist(command, words, f"{file.name}: {text}")


def assert_options_exist(
    command: typer.core.TyperCommand | None, words: list[str], where: str
) -> None:
    if command is None:
        return
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= known | {"--help"}, where


def test_every_setting_named_in_the_pages_exists() -> None:
    sections = dict(write._sections())
    names = {
        "PRESSRUN_" + "__".join(part for part in (*prefix.split("."), name) if part).upper()
        for prefix, section in sections.items()
        for name in write.own_fields(section)
    } | {"PRESSRUN_CONFIG", "PRESSRUN_CORPUS", "PRESSRUN_TEST_SEED"}
    names |= {f"PRESSRUN_{name.upper()}_FILE" for name in ("database_url", "broker_url")}
    for file in PROSE:
        named = set(re.findall(r"PRESSRUN_[A-Z0-9_]+", file.read_text(encoding="utf-8")))
        assert named <= names, file.name
