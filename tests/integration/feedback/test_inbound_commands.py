"""`mailer inbound` and `mailer bounces` as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.feedback.test_inbound import DOMAIN, ada, bounce
from tests.integration.feedback.world import World
from tests.services.process import free_port, leash, wait_for_port


@pytest.fixture
def environment(world: World, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "keys").write_text(world.keyring.to_text())
    return {
        **os.environ,
        "PRESSRUN_DATABASE_URL": world.database.url,
        "PRESSRUN_KEYS_FILE": str(tmp_path / "keys"),
        "PRESSRUN_INBOUND_DOMAIN": DOMAIN,
    }


def run(
    environment: dict[str, str], *words: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mailer", *words],
        input=given,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_pipe_is_applied_at_once_and_a_letter_is_kept(
    world: World, environment: dict[str, str]
) -> None:
    person, delivery = ada(world)
    told = bounce(f"{world.verp(delivery)}@{DOMAIN}")
    letter = b"From: ada@example.org\r\nSubject: a question\r\n\r\nWhere do I write to?\r\n"
    for message in (told, letter):
        done = run(environment, "inbound", "read", "-", given=message)
        assert done.returncode == 0, done.stderr
    assert world.status(person) == "bounced"
    (row,) = json.loads(run(environment, "inbound", "unparsed", "--json").stdout)
    assert run(environment, "inbound", "unparsed", str(row["id"])).stdout == letter
    wrong = run(environment, "inbound", "unparsed", "99")
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (2, 1)
    assert run(environment, "bounces", "replay", "--dry-run", "--json").stdout == b"[]\n"


def test_mistakes_are_told_in_one_line(environment: dict[str, str]) -> None:
    mistakes = {
        ("inbound", "read", "nowhere"): b"nowhere: No such file",
        ("inbound", "fetch"): b"inbound.mailbox is not set",
    }
    for words, expected in mistakes.items():
        done = run(environment, *words)
        assert done.returncode == 2
        assert expected in done.stderr
        assert done.stderr.count(b"\n") == 1
    bad = {**environment, "PRESSRUN_INBOUND__MAILBOX": "imaps://me:secret@host/"}
    done = run(bad, "inbound", "fetch")
    assert b"must not hold the password" in done.stderr
    assert b"secret@" not in done.stderr


def test_the_listener_takes_mail_until_it_is_told_to_end(
    world: World, environment: dict[str, str], tmp_path: Path
) -> None:
    person, delivery = ada(world)
    port, log = free_port(), tmp_path / "log"
    with log.open("wb") as output:
        listener = subprocess.Popen(
            [*leash(), sys.executable, "-m", "mailer", "inbound", "listen", "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=output,
        )
    wait_for_port(port, listener, log)
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        to = f"{world.verp(delivery)}@{DOMAIN}"
        client.sendmail("", [to], bounce("somebody@else.example"))
    listener.send_signal(signal.SIGTERM)
    assert listener.wait(15) == 0, log.read_text()
    assert world.apply() == 1
    assert world.status(person) == "bounced"


def test_a_place_that_is_none_is_named_as_the_setting_it_is(environment: dict[str, str]) -> None:
    done = run(environment, "inbound", "listen", "--host", "192.0.2.1")
    assert done.returncode == 2
    assert b"inbound.host" in done.stderr
    assert b"web.host" not in done.stderr
