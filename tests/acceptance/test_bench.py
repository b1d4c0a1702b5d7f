"""`python -m bench --quick` still runs, and its page has every figure. Never how fast."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("postgres_server")
def test_the_short_form_writes_the_page_and_its_plot(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--out", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert rows(page, "End to end") == [
        "plain smtplib en finished 1",
        "plain aiosmtplib en finished 1",
        "SQLite en RSA-2048 2",
        "PostgreSQL zh unsigned 1",
    ]
    held = page.partition("## Figures held to targets\n")[2].partition("\n## ")[0]
    assert "it failed" not in held
    for figure in ("transport", "database, SQLite", "database, PostgreSQL", "snapshot of", "rsa"):
        assert f"| {figure}" in held
    assert [row.split()[0] for row in rows(page, "Memory")] == ["200", "600"]
    assert "bare INSERT" in page
    assert [row.split()[0] for row in rows(page, "Rendering an issue")] == ["en", "zh"]
    assert "benchmarks.svg" in page
    assert (tmp_path / "benchmarks.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("postgres_server")
def test_the_page_on_people_has_every_figure(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.people", "--rows", "200", "--out", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "benchmarks-people.md").read_text(encoding="utf-8")
    assert [row.split()[:2] for row in rows(page, "Memory")] == [
        ["import", "20"],
        ["export", "20"],
        ["import", "200"],
        ["export", "200"],
    ]
    for kind in ("SQLite", "PostgreSQL"):
        done_with = [row for row in rows(page, "One person") if row.startswith(kind)]
        assert [row.split()[1] for row in done_with] == ["add", "show", "unsubscribe", "erase"]
        assert sum(row.startswith(kind) for row in rows(page, "Import")) == 3
        assert sum(row.startswith(kind) for row in rows(page, "Segments")) == 3
        assert sum(row.startswith(kind) for row in rows(page, "Export")) == 1


def rows(page: str, section: str) -> list[str]:
    """The first four cells of each row of a section's table; each figure in it is a number."""
    table = page.partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    for row in found[2:]:
        assert all(re.match(r"[\d.,]+", cell) for cell in row[4:6] if cell.strip())
    return [" ".join(cell.strip() for cell in row[:4]) for row in found[2:]]
