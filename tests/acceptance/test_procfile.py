"""The Procfile's processes under honcho: on a file, and on PostgreSQL with either broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from sqlalchemy import select

from mailer import migrations
from mailer.webhooks.verify import verifier_of
from subscribers.database import Database
from subscribers.tables import subscribers, subscriptions
from tests import stacks
from tests.acceptance.installation import Installation, installed
from tests.services.postgres import PostgresServer
from tests.services.process import free_port
from tests.stacks import Stack

ROOT = Path(__file__).parents[2]
PEOPLE = 200
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


@pytest.fixture(params=[stacks.EMBEDDED, stacks.REDIS, stacks.RABBITMQ])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """An installation's database without any table, and its broker."""
    if request.param == stacks.EMBEDDED:
        yield Stack(database_url=f"sqlite:///{tmp_path / 'pressrun.db'}", broker_url=None)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    broker_url = request.getfixturevalue(f"{request.param.partition('+')[2]}_url")
    name = server.create()
    yield Stack(database_url=server.url(name), broker_url=broker_url)
    server.drop(name)


def honcho(*arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start honcho on the repository's Procfile; its words go to a file in `folder`."""
    with (folder / f"honcho-{arguments[0]}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "honcho", "-f", str(ROOT / "Procfile"), *arguments],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@pytest.mark.timeout(120)
def test_release_web_worker_and_clock(bare: Stack, tmp_path: Path) -> None:
    beside = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}"}
    environment["PRESSRUN_DATABASE_URL"] = bare.database_url
    release = honcho("run", "mailer", "db", "upgrade", folder=tmp_path, environment=environment)
    assert release.wait(30) == 0, (tmp_path / "honcho-run.log").read_text()
    assert "release: mailer db upgrade\n" in (ROOT / "Procfile").read_text()
    database = Database(bare.database_url)
    migrations.check(database)
    database.dispose()

    port = free_port()
    extra = {"PRESSRUN_WEB__PORT": str(port), "PRESSRUN_WEB__GENERIC_SECRET": SECRET}
    with installed(tmp_path, bare.database_url, bare.broker_url, extra=extra) as here:
        addresses = here.add_people(PEOPLE)
        environment = {**here.environment, "PATH": environment["PATH"]}
        names = ("web", "worker", "clock")
        running = honcho("start", *names, folder=tmp_path, environment=environment)
        here.processes.append(running)
        here.wait(lambda: _answers(port))
        children = psutil.Process(running.pid).children(recursive=True)
        campaign = here.schedule()
        here.wait_until_over(campaign, seconds=40)
        assert here.check(campaign) == {"sent": PEOPLE, "unknown, in truth delivered": 0}

        _bounce(here, port, addresses[0])
        _leave(here, port, addresses[1])
        here.wait(
            lambda: _statuses(here, *addresses[:3]) == ["bounced", "unsubscribed", "active"],
            seconds=15,
        )
        running.send_signal(signal.SIGTERM)
        running.wait(20)
        said = (tmp_path / "honcho-start.log").read_text()
        assert "Traceback" not in said, said
        for name in names:
            assert f"{name}.1" in said
        # honcho gives -15 for itself; its children ended by themselves, and none was killed.
        assert "SIGKILL" not in said
        _, alive = psutil.wait_procs(children, timeout=2)
        assert not alive
        assert here.check(campaign)["sent"] == PEOPLE


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code < 500
    except httpx.TransportError:
        return False


def _bounce(here: Installation, port: int, recipient: str) -> None:
    """A provider reports that this person's copy bounced."""
    now = datetime.now(UTC)
    [message_id] = [mail.message_id for mail in here.accepted() if mail.rcpt == recipient]
    event = {
        "id": "bounce-1", "type": "bounced", "hard": True, "at": now.isoformat(),
        "recipient": recipient, "message_id": message_id, "text": "550 5.1.1 no such user",
    }  # fmt: skip
    body = json.dumps(event)
    answer = httpx.post(
        f"http://127.0.0.1:{port}/webhooks/generic",
        content=body,
        headers={
            "webhook-id": "bounce-1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": verifier_of(SECRET).sign("bounce-1", now, body),
        },
    )
    assert answer.is_success, answer.text


def _leave(here: Installation, port: int, recipient: str) -> None:
    """A mail program posts to the List-Unsubscribe of this person's copy (RFC 8058)."""
    [header] = [m.headers["list-unsubscribe"] for m in here.accepted() if m.rcpt == recipient]
    path = urlsplit(header.strip("<> ").split(">")[0]).path
    answer = httpx.post(f"http://127.0.0.1:{port}{path}", data={"List-Unsubscribe": "One-Click"})
    assert answer.is_success, answer.text


def _statuses(here: Installation, *addresses: str) -> list[str]:
    with here.database.read() as session:
        found = session.execute(
            select(subscribers.c.address, subscriptions.c.status)
            .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
            .where(subscribers.c.address.in_(addresses))
        ).all()
    status = {row.address: str(row.status) for row in found}
    return [status[address] for address in addresses]
