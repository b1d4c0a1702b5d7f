"""The manual page: what formats it has nothing against it, and what is typed stays as typed."""

from __future__ import annotations

import re
import shutil
import subprocess

from docs import man, write
from tests.conftest import _bring
from tests.services.process import ServiceMissing


def mandoc() -> str:
    """The program; raises ServiceMissing."""
    if found := shutil.which("mandoc"):
        return found
    raise ServiceMissing("mandoc is not installed")


def formatted(text: str, *options: str) -> str:
    program = _bring("mandoc", mandoc)
    done = subprocess.run(
        [program, "-K", "utf-8", *options], input=text, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_mandoc_has_nothing_against_it() -> None:
    assert formatted(write.MAN.read_text(encoding="utf-8"), "-T", "lint") == ""


def test_every_command_and_example_can_be_copied_from_it() -> None:
    page = formatted(write.MAN.read_text(encoding="utf-8"), "-T", "utf8", "-O", "width=999")
    shown = " ".join(re.sub(".\b", "", page).split())
    for name, command in write.commands():
        assert f" {name} " in shown
        help_ = (command.help or "").partition("Example")[2]
        for example in re.findall(r"`(mailer [^`]+)`", help_):
            assert " ".join(example.split()) in shown, name


def test_words_that_mean_something_to_roff_are_only_words() -> None:
    hostile = "Begin.\n\n.so /etc/passwd\n\n'br and \\fBbold \\n `--x\\d`\n\n"
    hostile += "word " * 20 + ".PP"
    lines = [*man._paragraphs(hostile)]
    assert not [line for line in lines if line.startswith((".", "'")) and line != ".PP"]
    page = formatted('.TH X 1 "2026-11-28"\n.SH NAME\nx \\- y\n' + "\n".join(lines), "-T", "ascii")
    shown = " ".join(re.sub(".\b", "", page).split())
    assert r"Begin. .so /etc/passwd 'br and \fBbold \n --x\d word" in shown
