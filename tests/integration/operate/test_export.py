"""`mailer export all` and `import all`: an open format from which everything comes back."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from mailer import migrations
from mailer.backup import queries
from mailer.campaign.model import CampaignState
from mailer.campaign.tables import campaigns
from mailer.export.read import import_all
from mailer.export.write import export_all
from subscribers.database import Database
from tests.integration.operate.conftest import Home
from tests.integration.operate.test_backup import came_back, elsewhere, everything, move
from tests.services import rows

__all__ = ["elsewhere"]

OUT = "export.zip"


def fill(home: Home) -> dict[str, list[str]]:
    """Rows in every table, and what they are."""
    with home.world.database.write() as session:
        for table in reversed(queries.tables()):
            session.execute(table.delete())
        rows.fill(session.connection(), rows=7)
    with home.world.database.read() as session:
        return everything(session)


@pytest.mark.parametrize("out", [OUT, "folder"])
def test_every_row_of_every_table_comes_back(home: Home, elsewhere: str, out: str) -> None:
    before = fill(home)
    home.run("export", "all", "--out", out, "--with-keys")
    moved = move(home, elsewhere)
    home.run("import", "all", out)
    assert came_back(moved, before) == before
    migrations.check(moved)
    again = home.run("import", "all", out, code=2)
    assert "there is an installation here already" in again.err
    moved.dispose()


def test_the_format_is_as_documented(home: Home) -> None:
    before = fill(home)
    told = json.loads(home.run("export", "all", "--out", "folder", "--json").out)
    folder = home.folder / "folder"
    assert folder.stat().st_mode & 0o777 == 0o700
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["format"], manifest["format_version"]) == ("pressrun-export", 1)
    assert told["rows"] == {name: len(found) for name, found in before.items()}
    files = {table["file"] for table in manifest["tables"]} | {"manifest.json"}
    assert {path.name for path in folder.iterdir()} == files
    for table in manifest["tables"]:
        path = folder / table["file"]
        raw = path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
        assert hashlib.sha256(raw).hexdigest() == table["sha256"]
        lines = [json.loads(line) for line in raw.splitlines()]
        assert len(lines) == table["rows"] == 7
        assert [*lines[0]] == [*table["columns"]]
    people = [json.loads(line) for line in (folder / "subscribers.jsonl").read_text().splitlines()]
    assert people[0]["attributes"] == {"n": 1, "text": "ä"}
    assert people[0]["created_at"].endswith("+00:00")


def test_what_was_under_way_arrives_paused(home_on_sqlite: Home, tmp_path: Path) -> None:
    home = home_on_sqlite
    fill(home)
    with home.world.database.write() as session:
        sending = update(campaigns).where(campaigns.c.id == 1)
        session.execute(sending.values(state=CampaignState.SENDING))
    home.run("export", "all", "--out", OUT, "--with-keys")
    moved = move(home, f"sqlite:///{tmp_path / 'new.db'}")
    told = json.loads(home.run("import", "all", OUT, "--json").out)
    assert told["paused"] == [1]
    with moved.read() as session:
        row = session.execute(campaigns.select().where(campaigns.c.id == 1)).one()
    assert row.state == CampaignState.PAUSED
    assert row.pause_reason.startswith("late")
    moved.dispose()


def test_without_the_keys_nothing_is_imported(home_on_sqlite: Home, tmp_path: Path) -> None:
    home = home_on_sqlite
    fill(home)
    said = home.run("export", "all", "--out", OUT)
    assert "the keys are not in it" in said.err
    with zipfile.ZipFile(home.folder / OUT) as archive:
        assert "pressrun.keys" not in archive.namelist()
    text = (home.folder / "pressrun.keys").read_text()
    move(home, f"sqlite:///{tmp_path / 'new.db'}").dispose()
    assert "put the old pressrun.keys there" in home.run("import", "all", OUT, code=2).err
    keys = home.folder / "pressrun.keys"
    keys.write_text(home.world.keyring.generate().to_text())
    assert "not the keys of the export" in home.run("import", "all", OUT, code=2).err
    keys.write_text(text)
    home.run("import", "all", OUT)


DAMAGE = {
    "a line is gone": ("subscribers.jsonl", lambda raw: b"".join(raw.splitlines(True)[1:])),
    "a word is other": ("subscribers.jsonl", lambda raw: raw.replace(b"name-1", b"name-9")),
    "no JSON": ("newsletters.jsonl", lambda raw: b"{" + raw),
    "another table": ("manifest.json", lambda raw: raw.replace(b'"segments"', b'"segment; --"')),
    "no manifest": ("manifest.json", lambda _raw: b"{}"),
    "newer": ("manifest.json", lambda raw: raw.replace(b'"step": "0', b'"step": "9')),
}


@pytest.mark.parametrize(("name", "change"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_is_refused_whole(
    home_on_sqlite: Home, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    home = home_on_sqlite
    fill(home)
    home.run("export", "all", "--out", "folder", "--with-keys")
    file = home.folder / "folder" / name
    file.write_bytes(change(file.read_bytes()))
    moved = move(home, f"sqlite:///{tmp_path / 'new.db'}")
    said = home.run("import", "all", "folder", code=2)
    assert said.err.count("\n") == 1
    migrations.upgrade(moved)
    with moved.read() as session:
        assert queries.is_empty(session)
    moved.dispose()


def test_nothing_is_overwritten_and_mistakes_are_one_line(home_on_sqlite: Home) -> None:
    home = home_on_sqlite
    home.run("export", "all", "--out", OUT)
    before = (home.folder / OUT).read_bytes()
    assert "is there already" in home.run("export", "all", "--out", OUT, code=2).err
    assert (home.folder / OUT).read_bytes() == before
    assert "there is no folder" in home.run("export", "all", "--out", "no/x.zip", code=2).err
    assert "no export of Pressrun" in home.run("import", "all", "pressrun.toml", code=2).err
    assert "nowhere: there is no such file" in home.run("import", "all", "nowhere", code=2).err
    assert not [path for path in home.folder.iterdir() if path.name.startswith(".export")]


def test_memory_stays_flat(home_on_sqlite: Home, tmp_path: Path) -> None:
    database = home_on_sqlite.world.database

    def peak(more: int, out: str) -> int:
        with database.write() as session:
            session.connection().exec_driver_sql(
                "INSERT INTO segments (name, expression, created_at) VALUES (?, ?, ?)",
                [(f"{out}{n}", "x" * 1000, "2026-01-01 00:00:00") for n in range(more)],
            )
        tracemalloc.start()
        export_all(database, tmp_path / out, fingerprint="", keys=None)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(100, "first.zip")
    few = peak(2000, "few.zip")
    assert peak(10_000, "many.zip") < few * 1.5
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    import_all(tmp_path / "many.zip", copy, now=datetime.now(UTC))
    copy.dispose()
