"""What was answered is never lost, though the web process is killed in the midst of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mailer.feedback.tables import intake
from subscribers.database import Database
from tests.integration.feedback.world import SECRET, World, sign
from tests.services.process import free_port, leash, wait_for_port

KILLS = 4


def start(folder: Path, world: World, port: int) -> subprocess.Popen[bytes]:
    (folder / "keys").write_text(world.keyring.to_text())
    log = folder / "web.log"
    with log.open("ab") as output:
        web = subprocess.Popen(
            [*leash(), sys.executable, "-m", "mailer", "web", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={
                **os.environ,
                "PRESSRUN_DATABASE_URL": world.database.url,
                "PRESSRUN_KEYS_FILE": str(folder / "keys"),
                "PRESSRUN_WEB__GENERIC_SECRET": SECRET,
            },
        )
    wait_for_port(port, web, log)
    return web


class Reporter:
    """Sends one report after the other from several threads, and notes which were answered."""

    def __init__(self, port: int, deliveries: list[str]) -> None:
        self.answered: list[str] = []
        self._port, self._deliveries = port, deliveries
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(8)]

    def __enter__(self) -> Reporter:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, thread: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            name = f"{thread}-{number}"
            delivery = self._deliveries[number % len(self._deliveries)]
            event = {"id": name, "type": "deferred", "at": datetime.now(UTC).isoformat()}
            body = json.dumps({**event, "delivery": delivery}).encode()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
                connection.request("POST", "/webhooks/generic", body, sign(body, id=name))
                if connection.getresponse().status == 202:
                    self.answered.append(name)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)  # killed just now
            finally:
                connection.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nothing_answered_is_lost_to_kill_9(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url: str = request.getfixturevalue(f"{kind}_url")
    world = World(database=Database(url))
    world.add_newsletter("weekly")
    campaign = world.add_campaign()
    people = [f"p{n}@example.org" for n in range(20)]
    sent = [world.verp(world.add_copy(campaign, one, world.add_person(one))) for one in people]
    port = free_port()
    web = start(tmp_path, world, port)
    try:
        with Reporter(port, sent) as reporter:
            for _ in range(KILLS):
                before = len(reporter.answered)
                deadline = time.monotonic() + 30
                while len(reporter.answered) < before + 40:
                    assert time.monotonic() < deadline, (tmp_path / "web.log").read_text()
                    time.sleep(0.01)
                web.send_signal(signal.SIGKILL)
                web.wait()
                web = start(tmp_path, world, port)
    finally:
        web.terminate()
        web.wait(30)
    world.apply()
    with world.database.read() as session:
        kept = {*session.execute(select(intake.c.request_id)).scalars()}
        waiting = session.execute(
            select(func.count()).where(intake.c.applied_at.is_(None))
        ).scalar_one()
    world.database.dispose()
    assert len(reporter.answered) >= 40 * KILLS
    assert {*reporter.answered} <= kept
    assert waiting == 0
