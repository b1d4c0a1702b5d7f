"""A database as an earlier version would have had it: today's rows in yesterday's tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mailer import migrations
from subscribers.database import Database


def rewrite(file: Path) -> None:
    """Put an SQLite file with the schema before the last step in the place of this one.

    What only the newest version keeps is left out, as it would not be there.
    """
    old = file.with_suffix(".older")
    database = Database(f"sqlite:///{old}")
    migrations.upgrade(database, to=migrations.STEPS[-2])
    database.dispose()
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("ATTACH ? AS today", [str(file)])
        connection.execute("BEGIN")
        for table, columns in _tables(connection, "main").items():
            today = _tables(connection, "today").get(table, [])
            kept = ", ".join(f'"{column}"' for column in columns if column in today)
            if kept and table != "alembic_version":
                connection.execute(
                    f'INSERT INTO main."{table}" ({kept}) SELECT {kept} FROM today."{table}"'
                )
        connection.execute("COMMIT")
    for leftover in file.parent.glob(f"{file.name}-*"):
        leftover.unlink()
    old.replace(file)


def _tables(connection: sqlite3.Connection, schema: str) -> dict[str, list[str]]:
    names = connection.execute(
        f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        name: [row[1] for row in connection.execute(f'PRAGMA {schema}.table_info("{name}")')]
        for (name,) in names
    }
