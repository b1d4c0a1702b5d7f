"""The schema's history: one line of steps whose sum equals the tables.

Every command asks `check`, so that it must be quick: Alembic itself is loaded by `upgrade` alone.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sqlalchemy import inspect, text

from subscribers.database import Database
from subscribers.errors import SchemaTooNew, SchemaTooOld

_HERE = Path(__file__).parent

#: The steps by number, oldest first: each is a file `NNNN_what_it_does.py`.
STEPS = tuple(sorted(path.name[:4] for path in (_HERE / "versions").glob("[0-9]*_*.py")))


def upgrade(database: Database, *, to: str = "head") -> None:
    """Bring a database, empty or older, to this version's schema; harmless where it is there.

    A step's number as `to` stops there, as an older version did.

    Raises SchemaTooNew for a database that a newer Pressrun made.
    """
    from alembic import command
    from alembic.config import Config

    _make_private(database)
    if _step(database) not in (None, *STEPS):
        raise SchemaTooNew(f"{database.place}: made by a newer Pressrun; upgrade this installation")
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    with database.engine.connect() as connection:
        connection = connection.execution_options(pressrun_write=True)
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, to)


def _make_private(database: Database) -> None:
    """A new SQLite file is for its owner alone: every address will stand in it."""
    path = database.engine.url.database
    if database.is_sqlite and path:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def check(database: Database) -> None:
    """See that the database has this version's schema; raises SchemaTooOld or SchemaTooNew.

    Makes no file where there is none.
    """
    if database.is_sqlite and not Path(database.place).exists():
        raise SchemaTooOld(
            f"{database.place}: there is no database; make one with `mailer init`,"
            " or with `mailer db upgrade`"
        )
    step = _step(database)
    if step not in (None, *STEPS):
        raise SchemaTooNew(f"{database.place}: made by a newer Pressrun; upgrade this installation")
    if step != STEPS[-1]:
        raise SchemaTooOld(
            f"{database.place}: {'empty' if step is None else 'made by an older Pressrun'};"
            " run `mailer db upgrade`"
        )


def _step(database: Database) -> str | None:
    with database.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return None
        step: str | None = session.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar_one_or_none()
        return step
