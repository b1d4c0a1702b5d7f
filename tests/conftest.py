"""What every test may ask for: databases, brokers, an SMTP server, and a quiet network."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import core, settings

from mailer.render.chromium import Page, chromium
from tests import stacks
from tests.services import schema
from tests.services.dovecot import DovecotServer
from tests.services.judges import Node, SpamAssassin, require_chromium
from tests.services.postgres import PostgresServer
from tests.services.process import ServiceMissing
from tests.services.process import free_port as _free_port
from tests.services.rabbitmq import RabbitmqServer
from tests.services.redis import RedisServer
from tests.services.smtp import SmtpSink

_SEED = int(os.environ.get("PRESSRUN_TEST_SEED", "0")) or random.randrange(1, 2**32)
# What Hypothesis makes up follows from it, too.
core.global_force_seed = _SEED
# Machines that run tests are shared: how long one example takes says nothing.
settings.register_profile("pressrun", deadline=None)
settings.load_profile("pressrun")

_Service = TypeVar("_Service")
_UNIT = Path(__file__).parent / "unit"
_LOOPBACK = ("127.", "::1", "localhost")

#: Services that could not be had here, by name, with the reason.
_left_out: dict[str, str] = {}
_sockets_off = False


def _bring(name: str, make: Callable[[], _Service]) -> _Service:
    """Start a service; a missing one is an error in CI and a named omission elsewhere."""
    if name in _left_out:
        pytest.skip(_left_out[name])
    try:
        return make()
    except ServiceMissing as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name}: {exc}", pytrace=False)
        _left_out[name] = str(exc)
        pytest.skip(str(exc))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, so that a green run can't be mistaken for a whole one."""
    terminalreporter.write_line(f"PRESSRUN_TEST_SEED={_SEED} repeats what was left to chance")
    for name, reason in _left_out.items():
        terminalreporter.write_line(f"LEFT OUT: all tests on {name}: {reason}", yellow=True)


def _watch_network(event: str, arguments: tuple[object, ...]) -> None:
    """Nothing leaves this machine; from tests/unit nothing leaves the process."""
    if event not in ("socket.connect", "socket.sendto"):
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return
    if _sockets_off:
        raise AssertionError(f"a unit test opens a connection to {address}")
    if not str(address[0]).startswith(_LOOPBACK):
        raise AssertionError(f"a test leaves the machine, for {address}")


sys.addaudithook(_watch_network)


@pytest.fixture(autouse=True)
def _quiet_network(request: pytest.FixtureRequest) -> Iterator[None]:
    global _sockets_off
    _sockets_off = request.path.is_relative_to(_UNIT)
    yield
    _sockets_off = False


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole run, without fsync."""
    server = _bring("PostgreSQL", PostgresServer)
    yield server
    server.stop()


@pytest.fixture
def durable_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for this test alone, with fsync, that may be restarted."""
    server = _bring("PostgreSQL", lambda: PostgresServer(durable=True))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the whole run."""
    server = _bring("Redis", RedisServer)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a database with all tables, to be copied."""
    name = postgres_server.create()
    schema.build(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "pressrun.db"
    schema.build(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite file with all tables."""
    path = tmp_path / "pressrun.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A fresh PostgreSQL database with all tables."""
    name = postgres_server.create(template=postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with all tables, of each kind in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A Redis that holds nothing."""
    redis_server.wipe()
    return redis_server.url


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitmqServer]:
    """One RabbitMQ for the whole run."""
    server = _bring("RabbitMQ", RabbitmqServer)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[DovecotServer]:
    """One Dovecot for the whole run."""
    server = _bring("Dovecot", DovecotServer)
    yield server
    server.stop()


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitmqServer) -> str:
    """A RabbitMQ whose queues are empty."""
    rabbitmq_server.wipe()
    return rabbitmq_server.url


@pytest.fixture(params=["inprocess", "redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str | None:
    """Each broker in turn: None is the one in the process, else the URL of an empty one."""
    if request.param == "inprocess":
        return None
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[stacks.Stack]:
    """A fresh installation's database and broker; `stacks.on` says of which kinds."""
    with stacks.fresh(request, request.param, tmp_path) as made:
        yield made


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What a test leaves to chance, by the run's seed."""
    return random.Random(f"{_SEED} {request.node.nodeid}")


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listens on."""
    return _free_port()


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """An SMTP server in a thread, told by `answer()` whom to refuse."""
    sink = SmtpSink()
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Page]:
    """One page in a Chromium without network, for the whole run."""
    _bring("Chromium", require_chromium)
    with chromium() as page:
        yield page


@pytest.fixture(scope="session")
def node() -> Node:
    """The reference MJML and axe-core."""
    return _bring("Node", Node)


@pytest.fixture(scope="session")
def spamassassin() -> SpamAssassin:
    """Debian's SpamAssassin."""
    return _bring("SpamAssassin", SpamAssassin)
