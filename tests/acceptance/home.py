"""A folder with a small installation in it, and `mailer` run in this very process."""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer.cli.app import main

PEOPLE = ("ann@example.com", "bob@example.com")
CSV = "email,name\nann@example.com,Ann\nbob@example.com,Bob\n"
FRONT = "---\nsubject: Hello\nnumber: 3\nlang: en\n---\n"
SCHEDULE = ("campaign", "schedule", "issue.md", "--yes")
AT = (*SCHEDULE, "--at")
TEST = ("campaign", "test", "issue.md", "--to", "me@example.com")
IMPORT = ("subscribers", "import", "people.csv")
STATS = ("subscribers", "stats")


@dataclass(frozen=True, kw_only=True)
class Told:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def mistake(self, *words: str, code: int = 2) -> None:
        """Assert one clear line on standard error with these words."""
        assert self.code == code, (self.code, self.err, self.out)
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        assert self.err.startswith("mailer: ")
        for word in words:
            assert word in self.err, self.err


@dataclass(frozen=True, kw_only=True)
class Home:
    """A folder with an installation of two people, and `mailer` in this very process."""

    folder: Path
    patch: pytest.MonkeyPatch
    heard: pytest.CaptureFixture[str]

    def mailer(self, *arguments: str) -> Told:
        """Run a command to its end."""
        self.patch.setattr(sys, "argv", ["mailer", *arguments])
        self.heard.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        said = self.heard.readouterr()
        assert isinstance(code, int)
        return Told(code=code, out=said.out, err=said.err)

    def write(self, name: str, text: str | bytes) -> None:
        """Write a file of the installation anew."""
        content = text if isinstance(text, bytes) else text.encode()
        (self.folder / name).write_bytes(content)

    def configure(self, text: str) -> None:
        """Put lines before the settings."""
        self.write("pressrun.toml", text + (self.folder / "pressrun.toml").read_text())

    def relay(self, lines: str) -> None:
        """Replace the settings of the relay."""
        head, _, tail = (self.folder / "pressrun.toml").read_text().partition("[relay]")
        self.write("pressrun.toml", f"{head}[relay]\n{lines}\n[web]{tail.partition('[web]')[2]}")

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Ask or change the database behind the program's back."""
        file = sqlite3.connect(self.folder / "pressrun.db")
        with file:
            rows = file.execute(statement).fetchall()
        file.close()
        return rows

    def people(self) -> list[object]:
        """Who is subscribed."""
        return [row[0] for row in self.sql("SELECT address FROM subscribers ORDER BY id")]
