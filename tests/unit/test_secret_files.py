"""A secret may stand in a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.errors import SettingsInvalid
from mailer.settings import ignore_environment, load


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_variable_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    monkeypatch.setenv("PRESSRUN_RELAY__PASSWORD_FILE", str(tmp_path / "secret"))
    password = load().relay.password
    assert password is not None
    assert password.get_secret_value() == "hunter2"


def test_the_settings_file_names_it_from_its_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "secret").write_text("hunter2\n")
    (folder / "pressrun.toml").write_text('[relay]\npassword_file = "secret"\n')
    password = load(folder / "pressrun.toml").relay.password
    assert password is not None
    assert password.get_secret_value() == "hunter2"


def test_a_password_in_the_database_url_may_stand_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("sqlite:///other.db\n")
    monkeypatch.setenv("PRESSRUN_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert load().database_url == "sqlite:///other.db"


@pytest.mark.parametrize("name", ["RELAY__PASSWORD_FILE", "DATABASE_URL_FILE"])
def test_a_file_that_is_not_there_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"PRESSRUN_{name}", str(tmp_path / "absent"))
    with pytest.raises(SettingsInvalid, match=str(tmp_path / "absent")):
        load()


def test_the_environment_can_be_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESSRUN_RELAY__HOST", "relay.example.org")
    ignore_environment()
    assert load().relay.host == "127.0.0.1"
