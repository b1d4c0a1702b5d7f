"""The tables of a fresh test database, made by the migrations."""

from __future__ import annotations

from pathlib import Path

from mailer import migrations
from mailer.migrations import schema
from subscribers.database import Database, metadata


def build(url: str) -> None:
    """Make all tables in the empty database at `url`."""
    assert schema
    database = Database(url)
    try:
        if any(Path(migrations.__file__).parent.glob("versions/*.py")):
            migrations.upgrade(database)
        else:  # before the first migration is written
            metadata.create_all(database.engine)
    finally:
        database.dispose()
