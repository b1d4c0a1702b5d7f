"""Back from a file: into an empty database of either kind, so that nothing is sent twice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailer import migrations
from mailer.backup import archive, queries
from mailer.backup.archive import Manifest
from subscribers.database import Database
from subscribers.errors import UsersMistake


class NotEmpty(UsersMistake):
    """There is an installation here already; restore into an empty database."""


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came back: the campaigns that wait for a person, and how many copies are in doubt."""

    paused: tuple[int, ...]
    doubted: int


def restore(
    file: Path,
    database: Database,
    *,
    now: datetime,
    told: Callable[[int], None] = lambda rows: None,
) -> tuple[Manifest, Restored]:
    """Fill an empty database from a backup, all or nothing.

    Every issue that was not over comes up paused, and each copy that waited is `unknown`: it may
    have left after the backup was made. Raises BackupInvalid, NotEmpty.
    """
    with archive.opened(file) as (manifest, tar), tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / archive.DATABASE
        archive.unpack_database(tar, manifest, unpacked)
        copy = Database(f"sqlite:///{unpacked}")
        try:
            filled = fill(copy, database, made_at=manifest.made_at, now=now, told=told)
        finally:
            copy.dispose()
    return manifest, filled


def fill(
    copy: Database,
    database: Database,
    *,
    made_at: datetime,
    now: datetime,
    told: Callable[[int], None],
) -> Restored:
    """Fill an empty database from a copy made at that time, which may be of an older version.

    Raises NotEmpty.
    """
    migrations.upgrade(copy)
    migrations.upgrade(database)
    with copy.read() as source, database.write() as session:
        if not queries.is_empty(session):
            raise NotEmpty(
                f"{database.place}: there is an installation here already; choose an empty"
                " database, or move this one away first"
            )
        queries.copy(source, session, told=told)
        queries.leave_a_gap(session, now=now)
        paused = queries.pause_all(session, made_at=made_at)
        doubted = queries.doubt_waiting(session, made_at=made_at, now=now)
    return Restored(paused=tuple(paused), doubted=doubted)
