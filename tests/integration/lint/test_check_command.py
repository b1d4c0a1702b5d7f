"""`mailer issue check`, as users, editors and CI call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mailer.cli.issue import app
from mailer.issue.rules import Rule

WARNED = "---\nsubject: a\nnumber: 1\npreheader: b\n---\nSee [here](https://e.org/x).\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", *arguments])


def test_warnings_end_with_0_and_strict_with_2(folder: Path) -> None:
    (folder / "a.md").write_text(WARNED)
    assert _check("a.md").exit_code == 0
    done = _check("a.md", "--strict")
    assert done.exit_code == 2
    assert done.stdout.startswith("a.md:6:12: warning: the link 'here' ")
    assert done.stdout.strip().endswith("[vague-link]")


def test_json_holds_all_that_an_editor_needs(folder: Path) -> None:
    (folder / "a.md").write_text(WARNED)
    (problem,) = json.loads(_check("a.md", "--json").stdout)
    assert {key: problem[key] for key in ("path", "line", "column", "rule", "severity")} == {
        "path": "a.md",
        "line": 6,
        "column": 12,
        "rule": "vague-link",
        "severity": "warning",
    }
    assert problem["message"]
    assert problem["remedy"]


def test_what_is_off_is_said_with_its_reason(folder: Path) -> None:
    off = "number: 1\nlint: {off: {vague-link: the picture says it}}"
    (folder / "a.md").write_text(WARNED.replace("number: 1", off))
    done = _check("a.md", "--strict")
    assert done.exit_code == 0
    assert "a.md:4:14: off: vague-link: the picture says it (1 hidden)" in done.stdout


def test_rules_are_listed(folder: Path) -> None:
    listed = [line.split("\t") for line in _check("--rules").stdout.splitlines()]
    assert [row[0] for row in listed] == [rule.value for rule in Rule]
    assert all(len(row) == 3 for row in listed)
    assert [each["rule"] for each in json.loads(_check("--rules", "--json").stdout)] == list(Rule)


def test_no_file_is_a_mistake(folder: Path) -> None:
    done = _check()
    assert done.exit_code == 2
    assert "mailer issue check issue.md" in done.stderr


def test_a_broken_database_does_not_keep_anybody_from_checking(folder: Path) -> None:
    (folder / "a.md").write_text(WARNED)
    (folder / "pressrun.toml").write_text('database_url = "sqlite:///broken.db"\n')
    (folder / "broken.db").write_bytes(b"no database" * 1000)
    done = _check("a.md")
    assert done.exit_code == 0, done.output
    assert "vague-link" in done.stdout
    assert "checked without the database" in done.stderr
    assert _check("a.md", "--to", "weekly").exit_code != 0
