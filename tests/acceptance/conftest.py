"""An installation of two people, for every test a copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.home import CSV, IMPORT, Home
from tests.services.process import free_port


@pytest.fixture(scope="session")
def _installed_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One installation, to be copied."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "people.csv").write_text(CSV)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PRESSRUN_")}
    for arguments in (
        (
            *("init", "--name", "Weekly", "--from", "Ann <ann@example.com>", "--yes"),
            *("--postal-address", "1 Road, Town", "--relay-host", "127.0.0.1"),
        ),
        IMPORT,
    ):
        command = [sys.executable, "-m", "mailer", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    draft = folder / "issue.md"
    text = draft.read_text(encoding="utf-8")
    # Written to the end: what a draft leaves to be replaced is told of, on each use.
    for left in ("The subject of this issue", "One sentence that inboxes show", "The best of"):
        assert left in text
        text = text.replace(left, "What is new in")
    draft.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def home(
    _installed_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Home:
    folder = tmp_path / "home"
    shutil.copytree(_installed_home, folder)
    for name in [name for name in os.environ if name.startswith("PRESSRUN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    made = Home(folder=folder, patch=monkeypatch, heard=capsys)
    made.relay(f'host = "127.0.0.1"\nport = {free_port()}')
    return made
