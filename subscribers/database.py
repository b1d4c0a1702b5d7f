"""The engine, sessions and the one MetaData; nothing is opened on import.

The same statements serve SQLite and PostgreSQL. On SQLite a write takes the file's one
write lock when it begins (BEGIN IMMEDIATE), so that it never fails half way for want of it.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, Integer, MetaData, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    DisconnectionError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from subscribers.errors import DatabaseBusy, DatabaseFull, DatabaseUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Engine, Table
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

#: A connection to a server that was not used for so long is tried before it is.
RESTED_SECONDS = 1.0

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: A 64-bit id; SQLite numbers rows by itself only where the type is INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """A point in time: aware UTC in Python, timestamptz in PostgreSQL, naive UTC in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time; hand SQLite its UTC without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """SQLite's own words for it, written at once: SQLAlchemy takes three times as long."""
        return moment_in_words if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back aware UTC."""
        return as_moment(value)


def moment_in_words(value: datetime | None) -> str | None:
    """An aware point in time as SQLite keeps it."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return utc.isoformat(" ", "microseconds")[:26]


def as_moment(value: datetime | str | None) -> datetime | None:
    """A point in time as a driver gives it, made aware UTC."""
    if value is None:
        return None
    told = datetime.fromisoformat(value) if isinstance(value, str) else value
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


class Database:
    """One database and its connections.

    `read()` and `write()` give a Session in a transaction of its own; `write()` commits on
    leaving, and rolls back on an exception. Both raise DatabaseUnavailable where the server
    can't be reached, and DatabaseFull where its disk is full.

    With `idle_seconds` PostgreSQL rolls back a transaction in which nothing was asked for so
    long: a process that was stopped, or whose host lost its power, keeps nobody waiting for the
    rows it had locked. (A file's lock goes with its process, and not before.)
    """

    def __init__(self, url: str, *, pool_size: int = 5, idle_seconds: float | None = None) -> None:
        self.url = url
        self.engine = _engine(url, pool_size=pool_size, idle_seconds=idle_seconds)
        self._writing = self.engine.execution_options(pressrun_write=True)
        # Nothing can be written by mistake, so that it may end with a COMMIT: at a ROLLBACK
        # psycopg forgets the statements that it has prepared.
        self._reading = self.engine.execution_options(postgresql_readonly=not self.is_sqlite)
        #: What to call it in a message: its file, or its URL without the password.
        self.place = (
            self.engine.url.database or ":memory:"
            if self.is_sqlite
            else self.engine.url.render_as_string(hide_password=True)
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a file of the embedded kind."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; what it writes is refused (PostgreSQL) or rolled back."""
        with (
            _translated(self.place),
            self._reading.connect() as connection,
            Session(connection) as session,
        ):
            yield session
            if not self.is_sqlite:
                connection.commit()

    @contextmanager
    def write(self, *, frozen: bool = False) -> Iterator[Session]:
        """A session that writes; committed on leaving.

        With `frozen` all its statements see the database as it was at the first (which
        SQLite does anyway); raises DatabaseBusy where somebody else changed a row it changes.
        """
        with _translated(self.place), self._writing.connect() as connection:
            if frozen and not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin(), Session(connection) as session:
                yield session
                session.flush()

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session that reads, all its statements as of the first; nobody waits for it."""
        with self.read() if self.is_sqlite else self.write(frozen=True) as session:
            yield session

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def overwrite_what_is_deleted(session: Session) -> None:
    """Let SQLite put zeros where this transaction takes something away, not just let it go.

    PostgreSQL rewrites its files by itself (autovacuum).
    """
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA secure_delete=ON")


def upsert(session: Session, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the words of the session's database."""
    return upsert_for(session.get_bind().dialect, table)


def upsert_for(dialect: Dialect, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the words of a database."""
    return sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)


def _engine(url: str, *, pool_size: int, idle_seconds: float | None) -> Engine:
    if not url.startswith("sqlite"):
        engine = create_engine(url, pool_size=pool_size, max_overflow=5)
        if idle_seconds is not None:
            event.listen(engine, "connect", lambda c, _: _end_when_idle(c, idle_seconds))
        event.listen(engine, "checkin", _note_rest)
        event.listen(engine, "checkout", lambda c, entry, _: _try_rested(engine.dialect, c, entry))
        return engine
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # Python's own transaction handling is switched off: it would begin too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("pressrun_write", False)
    words = "BEGIN IMMEDIATE" if write else "BEGIN"
    try:
        # By the driver itself: SQLAlchemy's way takes twenty times as long as SQLite.
        connection.connection.cursor().execute(words)
    except sqlite3.Error as exc:
        raise DBAPIError.instance(
            words, None, exc, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from exc


def _end_when_idle(connection: DBAPIConnection, seconds: float) -> None:
    # A session's setting, not one of the start-up packet, which connection poolers refuse.
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = {max(1, round(seconds * 1000))}")
    cursor.close()
    connection.commit()


def _note_rest(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info["resting since"] = time.monotonic()


def _try_rested(dialect: Dialect, connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    """See that a connection is alive, unless it was in use a moment ago.

    (`pool_pre_ping` would ask before each transaction, for as much as a statement costs.)
    """
    # A new one has never rested.
    rested = time.monotonic() - entry.info.get("resting since", float("inf"))
    if rested < RESTED_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as exc:
        # The pool makes another.
        raise DisconnectionError from exc


@contextmanager
def _translated(place: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as exc:
        if _is_full(exc):
            raise DatabaseFull from exc
        if _is_busy(exc):
            raise DatabaseBusy from exc
        # 25006: a PostgreSQL that became a read-only standby.
        read_only = getattr(exc.orig, "sqlstate", None) == "25006"
        if read_only or exc.connection_invalidated or _is_out_of_reach(exc):
            words = str(exc.orig).strip().splitlines() or [type(exc.orig).__name__]
            raise DatabaseUnavailable(f"{place}: {words[0]}; {_remedy(exc)}") from exc
        raise
    except NoConnectionFree as exc:
        raise DatabaseBusy("all connections to the database are in use; try again") from exc
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise DatabaseFull from exc
        raise


def _is_out_of_reach(exc: DBAPIError) -> bool:
    """Whether the trouble is the database itself, and not what it was asked."""
    # A file that is no database is told of by the general class; PostgreSQL's client knows no
    # state for an option it does not know, and only then is the URL what is wrong.
    return (
        isinstance(exc, OperationalError)
        or type(exc) is DatabaseError
        or (isinstance(exc, ProgrammingError) and getattr(exc.orig, "sqlstate", "") is None)
    )


def _remedy(exc: DBAPIError) -> str:
    if not isinstance(exc.orig, sqlite3.Error):
        return "check PRESSRUN_DATABASE_URL and that its server runs"
    if type(exc) is DatabaseError:
        return "check database_url, or restore the file from a backup"
    return "check database_url, and that there is space and leave to write in that folder"


def _is_busy(exc: DBAPIError) -> bool:
    # 40001 serialization failure, 40P01 deadlock, 55P03 lock not available.
    sqlstate = getattr(exc.orig, "sqlstate", None)
    return sqlstate in ("40001", "40P01", "55P03") or "database is locked" in str(exc.orig).lower()


def _is_full(exc: DBAPIError) -> bool:
    words = str(exc.orig).lower()
    sqlstate = getattr(exc.orig, "sqlstate", None)
    return sqlstate == "53100" or "database or disk is full" in words or "no space left" in words
