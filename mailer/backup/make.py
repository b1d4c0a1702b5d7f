"""A backup while everything runs: one moment of the database, whole, and the keys."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from mailer import migrations
from mailer.backup import archive, queries
from mailer.backup.archive import Manifest
from subscribers.database import Database
from subscribers.errors import DatabaseUnavailable, UsersMistake


def make(
    database: Database,
    file: Path,
    *,
    keys: str | None,
    told: Callable[[int], None] = lambda rows: None,
) -> Manifest:
    """Write a backup of a database that has this version's schema; nobody waits for it.

    It needs room for an uncompressed copy beside `file` while it works. Raises UsersMistake
    where the file can't be written or is there already.
    """
    if file.exists():
        raise UsersMistake(f"{file} is there already; choose another name")
    # The lost part begins here: whatever leaves from now on, the backup may not know of.
    made_at = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=_folder(file)) as folder:
        copy = Path(folder) / archive.DATABASE
        if database.is_sqlite:
            _copy_file(Path(database.place), copy)
        else:
            _copy_rows(database, copy, told=told)
        rows = _rows(copy)
        return archive.write(
            file, copy, keys, made_at=made_at, step=migrations.STEPS[-1], rows=rows
        )


def _folder(file: Path) -> Path:
    if not file.parent.is_dir():
        raise UsersMistake(f"{file}: there is no folder {file.parent}")
    return file.parent


def _copy_file(source: Path, target: Path) -> None:
    """By SQLite's own backup, in one step: in WAL mode it sees one moment and blocks no writer."""
    try:
        with (
            closing(sqlite3.connect(source)) as here,
            closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)
    except sqlite3.Error as exc:
        raise DatabaseUnavailable(f"{source}: {exc}") from exc


def _copy_rows(database: Database, target: Path, *, told: Callable[[int], None]) -> None:
    copy = Database(f"sqlite:///{target}")
    try:
        migrations.upgrade(copy)
        # `frozen`: every table as it was at one moment.
        with database.write(frozen=True) as source, copy.write() as there:
            queries.copy(source, there, told=told)
    finally:
        copy.dispose()


def _rows(file: Path) -> dict[str, int]:
    copy = Database(f"sqlite:///{file}")
    try:
        with copy.read() as session:
            return queries.counts(session)
    finally:
        # The last connection folds the log that lies beside the file into it.
        copy.dispose()
