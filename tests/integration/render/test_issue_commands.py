"""`mailer issue new | check | render`, as a user calls them."""

from __future__ import annotations

import email
import email.policy
import json
from email.message import EmailMessage
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mailer.cli.issue import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_new_issue_lacks_only_its_words_and_can_be_rendered(folder: Path) -> None:
    assert _run("new").exit_code == 0
    checked = _run("check", "issue.md")
    told = checked.stdout.strip().splitlines()
    assert (checked.exit_code, len(told)) == (0, 3)
    assert all(line.endswith("[placeholder]") for line in told)
    done = _run("render", "issue.md", "--out", "look", "--subscriber", "Zoë", "--json")
    assert done.exit_code == 0, done.output
    files = json.loads(done.stdout)
    assert "Hello Zoë," in (folder / files["html"]).read_text(encoding="utf-8")
    assert "Hello Zoë," in (folder / files["text"]).read_text(encoding="utf-8")
    message = email.message_from_bytes(
        (folder / files["eml"]).read_bytes(), policy=email.policy.SMTP
    )
    assert isinstance(message, EmailMessage)
    assert message["Subject"] == files["subject"]
    html = message.get_body(("html",))
    assert html is not None
    assert "Hello Zoë," in html.get_content()


def test_an_issue_that_is_there_is_kept(folder: Path) -> None:
    (folder / "issue.md").write_text("mine")
    done = _run("new", "issue.md")
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert (folder / "issue.md").read_text() == "mine"


def test_problems_have_places_and_end_with_2(folder: Path) -> None:
    (folder / "a.md").write_text('---\nsubject: "x"\nnumber: 1\npreheader: y\n---\n[x](/y)\n')
    (folder / "b.md").write_bytes(b"\xff")
    done = _run("check", "a.md", "b.md", "c.md")
    assert done.exit_code == 2
    lines = done.stdout.splitlines()
    assert lines[0].startswith("a.md:6:5: error: relative link '/y'; ")
    assert lines[1].startswith("b.md:1:1: error: ")
    assert "UTF-8" in lines[1]
    assert "there is no such file" in lines[2]
    problems = json.loads(_run("check", "a.md", "--json").stdout)
    assert [(each["line"], each["column"], each["severity"]) for each in problems] == [
        (6, 5, "error")
    ]


def test_options_replace_what_the_newsletter_says(folder: Path) -> None:
    _run("new", "i.md")
    options = ["--name", "Näme", "--from", "n@n.example", "--postal", "Lane 1"]
    done = _run("render", "i.md", "--out", ".", *options, "--url", "https://n.example/")
    assert done.exit_code == 0, done.output
    text = (folder / "i.txt").read_text(encoding="utf-8")
    assert text.startswith("Näme · Issue 1")
    assert "Lane 1" in text
    assert "<https://n.example/unsubscribe-example>" in text
