"""The kinds of installation: a file and no broker, or PostgreSQL with either broker."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

EMBEDDED, REDIS, RABBITMQ = "sqlite", "postgres+redis", "postgres+rabbitmq"
ALL = (EMBEDDED, REDIS, RABBITMQ)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A fresh database with all tables, and an empty broker; None is the one in the process."""

    database_url: str
    broker_url: str | None


def on(*names: str) -> pytest.MarkDecorator:
    """Run a test on these stacks, and in `make chaos` on the others."""
    kinds = [pytest.param(n, marks=() if n in names else pytest.mark.chaos) for n in ALL]
    return pytest.mark.parametrize("stack", kinds, indirect=True)


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
    yield Stack(database_url=server.url(made), broker_url=broker.url)
    server.drop(made)
