"""An installation of its own for each test, and `mailer` in this very process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer.cli.app import main
from subscribers.database import Database
from tests.integration.delivery.conftest import World
from tests.services.smtp import SmtpSink


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command said, and its exit code."""

    out: str
    err: str
    code: int


@dataclass(frozen=True, kw_only=True)
class Home:
    """A folder with settings, keys and a newsletter; the relay is a sink on loopback."""

    folder: Path
    world: World
    run: Callable[..., Said]

    @property
    def settings(self) -> Path:
        return self.folder / "pressrun.toml"

    def configure(self, lines: str, *, instead_of: str = "") -> None:
        """Add lines at the top of the settings, or put them in the place of others."""
        text = self.settings.read_text()
        assert instead_of in text
        changed = text.replace(instead_of, lines, 1) if instead_of else f"{lines}\n{text}"
        self.settings.write_text(changed)


@pytest.fixture
def home(database_url: str, at_home: Callable[[str], Home]) -> Home:
    """Installed on each kind of database in turn."""
    return at_home(database_url)


@pytest.fixture
def home_on_sqlite(sqlite_url: str, at_home: Callable[[str], Home]) -> Home:
    """Where the database makes no difference."""
    return at_home(sqlite_url)


@pytest.fixture
def at_home(
    tmp_path: Path,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[[str], Home]]:
    """Install on a database."""
    worlds: list[World] = []

    def install(database_url: str) -> Home:
        folder = tmp_path / "home"
        folder.mkdir()
        world = World(database=Database(database_url))
        worlds.append(world)
        world.add_newsletter()
        keys = folder / "pressrun.keys"
        keys.write_text(world.keyring.to_text())
        keys.chmod(0o600)
        (folder / "pressrun.toml").write_text(
            f'database_url = "{database_url}"\n\n'
            f'[relay]\nhost = "127.0.0.1"\nport = {smtp_sink.port}\n'
        )
        if database_url.startswith("sqlite"):
            Path(database_url.removeprefix("sqlite:///")).chmod(0o600)
        for name in [name for name in os.environ if name.startswith("PRESSRUN_")]:
            monkeypatch.delenv(name)
        monkeypatch.chdir(folder)
        return Home(folder=folder, world=world, run=run)

    def run(*arguments: str, code: int | None = 0) -> Said:
        monkeypatch.setattr(sys, "argv", ["mailer", *arguments])
        capsys.readouterr()
        ended: object = 0
        try:
            main()
        except SystemExit as exc:
            ended = exc.code or 0
        heard = capsys.readouterr()
        assert isinstance(ended, int)
        assert code is None or ended == code, (ended, heard)
        return Said(out=heard.out, err=heard.err, code=ended)

    yield install
    for world in worlds:
        world.database.dispose()
