"""An export while everything runs: every table as it was at one moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mailer import __version__, migrations
from mailer.backup import queries as whole
from mailer.export import box, queries
from mailer.export.manifest import KEYS, MANIFEST, Manifest, TableFile
from subscribers.database import Database


def export_all(
    database: Database,
    out: Path,
    *,
    fingerprint: str,
    keys: str | None,
    told: Callable[[str], None] = lambda table: None,
) -> Manifest:
    """Write everything into a new folder, or a zip where `out` is named so.

    Memory stays flat and nobody waits. `told` hears each table's name as it is begun. Raises
    UsersMistake where `out` is there already or can't be written.
    """
    made_at = datetime.now(UTC)
    with box.writing(out) as opener, database.snapshot() as session:
        files = []
        for table in whole.tables():
            told(table.name)
            written = box.Written()
            name = f"{table.name}.jsonl"
            with opener(name) as file:
                written.write(file, queries.rows(session, table))
            files.append(
                TableFile(
                    name=table.name,
                    file=name,
                    rows=written.rows,
                    sha256=written.sha256,
                    columns=queries.kinds(table),
                )
            )
        manifest = Manifest(
            version=__version__,
            made_at=made_at,
            step=migrations.STEPS[-1],
            fingerprint=fingerprint,
            with_keys=keys is not None,
            tables=tuple(files),
        )
        if keys is not None:
            with opener(KEYS) as file:
                file.write(keys.encode())
        # Last: what has no manifest broke off.
        with opener(MANIFEST) as file:
            file.write(manifest.to_json().encode())
    return manifest
