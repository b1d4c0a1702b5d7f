"""The kinds of installation: a file and no broker, or PostgreSQL with either broker."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.services.rabbitmq import RabbitmqServer
from tests.services.redis import RedisServer

EMBEDDED, REDIS, RABBITMQ = "sqlite", "postgres+redis", "postgres+rabbitmq"
ALL = (EMBEDDED, REDIS, RABBITMQ)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A fresh database with all tables, and an empty broker; None is the one in the process."""

    database_url: str
    broker_url: str | None
    broker: RedisServer | RabbitmqServer | None = None

    def wipe(self) -> None:
        """Let the broker forget everything."""
        assert self.broker is not None
        self.broker.wipe()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop the broker with all that it has started: it takes connections and says nothing."""
        assert self.broker is not None
        server = psutil.Process(self.broker.pid)
        stopped = [server, *server.children(recursive=True)]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()


def on(*names: str) -> pytest.MarkDecorator:
    """Run a test on these stacks, and in `make chaos` on the others."""
    kinds = [pytest.param(n, marks=() if n in names else pytest.mark.chaos) for n in ALL]
    return pytest.mark.parametrize("stack", kinds, indirect=True)


def over(*names: str) -> pytest.MarkDecorator:
    """Run a test on these stacks, and on no other."""
    return pytest.mark.parametrize("stack", names, indirect=True)


@contextmanager
def fresh(request: pytest.FixtureRequest, name: str, folder: Path) -> Iterator[Stack]:
    """Make one; its file lies in `folder`."""
    if name == EMBEDDED:
        file = folder / "pressrun.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield Stack(database_url=f"sqlite:///{file}", broker_url=None)
        return
    broker = request.getfixturevalue(f"{name.partition('+')[2]}_server")
    broker.wipe()
    server = request.getfixturevalue("postgres_server")
    made = server.create(template=request.getfixturevalue("postgres_template"))
    yield Stack(database_url=server.url(made), broker_url=broker.url, broker=broker)
    server.drop(made)
