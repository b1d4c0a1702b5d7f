"""`mailer webhooks out` as a user has it: add, test, look, replay; and the page's receiver."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mailer.cli import config as chosen
from mailer.cli.app import app as whole
from mailer.cli.webhooks_out import app, meanings
from subscribers.errors import UsersMistake
from subscribers.outbox.model import NewsType
from tests.integration.outgoing.conftest import Telling
from tests.integration.outgoing.receiver import Receiver
from tests.services.process import free_port, leash, wait_for_port

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"


@pytest.fixture
def config(telling: Telling, tmp_path: Path) -> Iterator[Path]:
    """An installation that may call this machine."""
    (tmp_path / "pressrun.keys").write_text(telling.world.keyring.to_text())
    path = tmp_path / "pressrun.toml"
    path.write_text(
        f'database_url = "{telling.world.database.url}"\nkeys_file = "pressrun.keys"\n'
        "[outgoing]\nprivate = true\ntimeout = 1\nretries = [0.05]\npoll_seconds = 0.1\n"
        "rest_most = 0.05\nlease_seconds = 0.1\n"
    )
    chosen.use(path)
    yield path
    chosen.use(None)


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.output


@pytest.mark.usefixtures("config")
def test_an_endpoint_from_its_first_day_to_its_last(telling: Telling) -> None:
    with Receiver() as receiver:
        made = json.loads(run("add", receiver.url, "--events", "subscriber.*,campaign.*", "--json"))
        assert made["secret"].startswith("whsec_")
        assert "shown" not in run("list")
        assert made["secret"] not in run("list", "--json") + run("show", "1", "--json")
        assert "answered 204" in run("test", "1")
        assert receiver.types == ["endpoint.test"]
        telling.world.add_person("ada@example.org")
        assert json.loads(run("list", "--json"))[0]["waiting"] == 2
        assert "paused" in run("pause", "1")
        assert telling.tell() == 0
        run("resume", "1")
        telling.tell()
        logged = json.loads(run("log", "1", "--json"))
        assert [one["state"] for one in logged] == ["delivered", "delivered"]
        assert "1 would be sent" in run("replay", "1", logged[0]["message_id"], "--dry-run")
        run("replay", "1", logged[0]["message_id"])
        telling.tell()
        assert receiver.types[-1] == logged[0]["type"]
        rotated = json.loads(run("rotate", "1", "--overlap", "1h", "--json"))
        assert rotated["secret"] != made["secret"]
    assert "did not take it" in run("test", "1", code=1)
    run("remove", "1", "--yes")
    assert "no endpoint yet" in run("list")


MISTAKES = [
    (["add", "https://x.example/", "--events", "subscribers.*"], "no such news"),
    (["add", "ftp://x.example/"], "only http or https"),
    (["add", "https://user:pw@x.example/"], "with a password"),
    (["replay", "1"], "say which"),
    (["log", "--dead", "--waiting"], "waits no more"),
    (["rotate", "1", "--overlap", "99d"], "30 days at most"),
]


@pytest.mark.usefixtures("config")
def test_a_mistake_is_one_clear_line() -> None:
    for arguments, words in MISTAKES:
        assert words in run(*arguments, code=2)
    for verb in ("show", "remove", "pause", "resume", "rotate", "test", "log"):
        done = CliRunner().invoke(app, [verb, str(2**70)])
        assert isinstance(done.exception, UsersMistake), verb


def test_every_event_is_explained() -> None:
    assert [*meanings()] == [str(kind) for kind in NewsType]
    page = PAGE.read_text(encoding="utf-8")
    assert [kind for kind in NewsType if f"`{kind}`" not in page] == []
    assert CliRunner().invoke(whole, ["webhooks", "out", "events"]).exit_code == 0


def test_the_receiver_of_the_page_is_told_by_a_clock_that_was_killed(
    telling: Telling, config: Path
) -> None:
    source = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[-1]
    port = free_port()
    endpoint = telling.add(f"http://127.0.0.1:{port}/", "subscriber.confirmed")
    told, log = config.parent / "told", config.parent / "clock.log"
    with told.open("wb") as output:
        receiver = subprocess.Popen(
            [*leash(), sys.executable, "-c", source],
            stdout=output,
            env={**os.environ, "WEBHOOK_SECRET": telling.secret(endpoint), "PORT": str(port)},
        )
    wait_for_port(port, receiver, told)

    def clock() -> subprocess.Popen[bytes]:
        command = [*leash(), sys.executable, "-m", "mailer", "--config", str(config), "clock"]
        with log.open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output)

    def wait_for(lines: int) -> None:
        deadline = time.monotonic() + 30
        while told.read_text().count("\n") < lines:
            assert time.monotonic() < deadline, told.read_text() + log.read_text()
            time.sleep(0.02)

    running = clock()
    try:
        telling.world.add_person("p0@example.org")
        wait_for(1)
        for number in range(1, 20):
            telling.world.add_person(f"p{number}@example.org")
        running.send_signal(signal.SIGKILL)
        running.wait()
        running = clock()
        wait_for(20)
    finally:
        for process in (running, receiver):
            process.terminate()
            process.wait(30)
    lines = told.read_text().splitlines()
    assert sorted(re.findall(r"p\d+@", " ".join(lines))) == sorted(f"p{n}@" for n in range(20))
    assert all(line.startswith("subscriber.confirmed {'newsletter': 'weekly'") for line in lines)
