"""Back from an export into an empty database of either kind, so that nothing is sent twice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from mailer import migrations
from mailer.backup.restore import Restored, fill
from mailer.export import box, queries
from mailer.export.manifest import KEYS, MANIFEST, ExportInvalid, Manifest, read_manifest
from subscribers.database import Database


def look(source: Path) -> tuple[Manifest, str | None]:
    """What an export says of itself, and its keys if they are in it; raises ExportInvalid."""
    with box.reading(source) as opener:
        manifest = read_manifest(box.small(opener, MANIFEST))
        return manifest, box.small(opener, KEYS) if manifest.with_keys else None


def import_all(
    source: Path,
    database: Database,
    *,
    now: datetime,
    told: Callable[[int], None] = lambda rows: None,
) -> tuple[Manifest, Restored]:
    """Fill an empty database from an export, all or nothing.

    An export of an older version is read as that version wrote it, then brought up to this one.
    What was not over comes up as after a restore: paused, each copy that waited `unknown`.
    Raises ExportInvalid, NotEmpty, SchemaTooNew.
    """
    manifest, _ = look(source)
    if manifest.step not in migrations.STEPS:
        raise ExportInvalid(
            f"{source}: made by a newer Pressrun ({manifest.version}); upgrade this installation"
        )
    with tempfile.TemporaryDirectory() as folder, box.reading(source) as opener:
        copy = Database(f"sqlite:///{Path(folder) / 'export.db'}")
        try:
            migrations.upgrade(copy, to=manifest.step)
            with copy.write() as session:
                _load(session, opener, manifest)
            return manifest, fill(copy, database, made_at=manifest.made_at, now=now, told=told)
        finally:
            copy.dispose()


def _load(session: Session, opener: box.Opener, manifest: Manifest) -> None:
    there = queries.tables(session)
    for told in manifest.tables:
        if told.name not in there:
            raise ExportInvalid(f"{told.file}: that version has no such table")
        lines = box.lines(opener, told.file, rows=told.rows, sha256=told.sha256)
        queries.take(session, there[told.name], told, lines)
