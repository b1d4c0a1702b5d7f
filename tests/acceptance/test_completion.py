"""The tab key in real shells, and what a word half typed is offered where things are wrong."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.home import AT, FRONT, Home
from tests.conftest import _bring
from tests.services.process import ServiceMissing, free_port

BESIDE = str(Path(sys.executable).parent)
#: What a shell would run if it took a subject for words of its own.
HOSTILE = r"""it's $(touch oops) \$(touch oops) `touch oops` "); touch oops; (" [*] 1"""


def offered(home: Home, line: str) -> dict[str, str]:
    """What is offered at the end of this line, with its description, and not a word besides."""
    home.patch.setenv("_MAILER_COMPLETE", "complete_fish")
    home.patch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    home.patch.setenv("_TYPER_COMPLETE_ARGS", f"mailer {line}")
    told = home.mailer()
    home.patch.delenv("_MAILER_COMPLETE")
    assert (told.code, told.err) == (0, "")
    return dict(each.split("\t") for each in told.out.splitlines() if each)


def schedule(home: Home, subject: str) -> None:
    quoted = subject.replace("'", "''")
    text = FRONT.replace("subject: Hello", f"subject: '{quoted}'")
    (home.folder / "issue.md").write_text(f"{text}\nHello.\n")
    told = home.mailer(*AT, "2036-12-01 09:00")
    assert told.code == 0, told.err


def test_numbers_names_and_files(home: Home) -> None:
    schedule(home, HOSTILE)
    assert "campaign" in offered(home, "ca")
    assert offered(home, "campaign stat").keys() == {"status"}
    [(number, words)] = offered(home, "campaign pause ").items()
    assert number == "1"
    assert words.startswith("scheduled, it s touch oops")
    assert not set(words) & set("$`\\'\"();[]*")
    assert offered(home, "campaign pause 2") == {}
    assert offered(home, "archive list -n we") == {"weekly": "Weekly"}
    assert offered(home, "newsletter show ") == {"weekly": "Weekly"}
    assert offered(home, "theme use ").keys() == {"digest", "letter", "magazine"}
    assert offered(home, "relay test d") == {"default": "127.0.0.1"}


def test_the_settings_that_the_line_names(home: Home) -> None:
    schedule(home, "Hello")
    home.patch.chdir(home.folder.parent)
    assert offered(home, "campaign pause ") == {}
    assert "1" in offered(home, "--config home/pressrun.toml campaign pause ")


def test_no_database_is_made_where_there_is_none(home: Home) -> None:
    (home.folder / "pressrun.db").unlink()
    before = sorted(home.folder.rglob("*"))
    for line in ("campaign pause ", "archive list --newsletter "):
        assert offered(home, line) == {}
    assert sorted(home.folder.rglob("*")) == before


def test_what_is_wrong_is_no_answer(home: Home) -> None:
    settings = home.folder / "pressrun.toml"
    good = settings.read_text()
    database = home.folder / "pressrun.db"
    nowhere = f"postgresql+psycopg://ann@127.0.0.1:{free_port()}/x"
    for text in (
        "database_url = 3 [",
        'databse_url = "x"',
        f'database_url = "{nowhere}"',
        f'database_url = "{nowhere}?connect_timeout=2"',
        'database_url = "mysql://h/x"',
    ):
        settings.write_text(text)
        assert offered(home, "campaign pause ") == {}, text
        assert offered(home, "theme use di").keys() == {"digest"}
    settings.write_text(good)
    for content in (b"", b"no database at all" * 400):
        database.write_bytes(content)
        assert offered(home, "campaign pause ") == {}


def shell(name: str) -> str:
    """The program; raises ServiceMissing."""
    if found := shutil.which(name):
        return found
    raise ServiceMissing(f"{name} is not installed")


def source(name: str, folder: Path) -> Path:
    """What the program gives a shell to read."""
    file = folder / f"completion.{name}"
    file.write_bytes(run("mailer", folder=folder, _MAILER_COMPLETE=f"source_{name}"))
    return file


def run(*command: str, folder: Path, **variables: str) -> bytes:
    environment = environment_of(folder) | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment_of(folder: Path) -> dict[str, str]:
    path = f"{BESIDE}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "TERM": "xterm", "LANG": "C.UTF-8"}


def typed(command: list[str], keys: str, *, folder: Path) -> str:
    """What a shell on a terminal of its own shows, once these keys have ended it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment_of(folder),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, keys.encode())
    shown = bytearray()
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux says that nobody holds the other side
        pass
    finally:
        os.close(ours)
        process.wait()
    return shown.decode(errors="replace")


STARTS = {
    "bash": (["--norc", "--noprofile", "-i"], "bind 'set bell-style none'"),
    "zsh": (["-f", "-i"], "autoload -U compinit && compinit -u -D && bindkey -e"),
}


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.timeout(120)
def test_tab_at_a_prompt(home: Home, name: str) -> None:
    program = _bring(name, lambda: shell(name))
    schedule(home, HOSTILE)
    options, first = STARTS[name]
    script = source(name, home.folder)
    # Ctrl-A goes to the line's begin, so that the shell says what it has completed.
    keys = f"{first}; . {script}\nmailer campaign paus\t\t\x01echo \nexit\n"
    shown = typed([program, *options], keys, folder=home.folder)
    assert "mailer campaign pause 1" in [line.strip() for line in shown.splitlines()], shown
    assert not (home.folder / "oops").exists()


def test_tab_in_fish(home: Home) -> None:
    program = _bring("fish", lambda: shell("fish"))
    schedule(home, HOSTILE)
    script = source("fish", home.folder)
    asked = f"source {script}; complete -C 'mailer campaign pause '"
    words = run(program, "--no-config", "-c", asked, folder=home.folder).decode()
    assert words.startswith("1\tscheduled, it s touch oops")
    assert not (home.folder / "oops").exists()
