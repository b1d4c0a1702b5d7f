"""Whatever happens, in whatever order: the ledger tells what the server took."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from subscribers.database import Database
from tests.integration.delivery.history import History
from tests.services.postgres import PostgresServer
from tests.services.thread_sink import ThreadSink

#: Few in every run of the suite; many in `make chaos`, there on PostgreSQL, too.
FEW = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
MANY = settings(FEW, max_examples=300, stateful_step_count=40)


@pytest.fixture
def sink() -> Iterator[ThreadSink]:
    made = ThreadSink()
    made.start()
    yield made
    made.stop()


def on_sqlite(sink: ThreadSink, template: Path, folder: Path, how: settings) -> None:
    numbers = count()

    def new_database() -> Database:
        file = folder / f"{next(numbers)}.db"
        shutil.copyfile(template, file)
        return Database(f"sqlite:///{file}")

    run_state_machine_as_test(lambda: History(new_database, sink), settings=how)


@pytest.mark.timeout(900)
def test_histories_on_sqlite(sink: ThreadSink, sqlite_template: Path, tmp_path: Path) -> None:
    on_sqlite(sink, sqlite_template, tmp_path, FEW)


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_many_histories_on_sqlite(sink: ThreadSink, sqlite_template: Path, tmp_path: Path) -> None:
    on_sqlite(sink, sqlite_template, tmp_path, MANY)


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_many_histories_on_postgres(
    sink: ThreadSink, postgres_server: PostgresServer, postgres_template: str
) -> None:
    made: list[str] = []

    def new_database() -> Database:
        # The one before is done with.
        while made:
            postgres_server.drop(made.pop())
        made.append(postgres_server.create(template=postgres_template))
        return Database(postgres_server.url(made[-1]))

    run_state_machine_as_test(lambda: History(new_database, sink), settings=MANY)
