"""The lines of a process at work: JSON with ids, without addresses and secrets."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from mailer import logs
from mailer.settings import RelaySettings, Settings
from subscribers.token import Scope, make
from tests.integration.operate.conftest import Home
from tests.services.smtp import SmtpSink

PASSWORD = "hunter2-of-the-relay"


@pytest.fixture
def line() -> Callable[..., str]:
    """One record as the formatter writes it."""

    def write(message: str, *values: object, as_json: bool = True, **extra: object) -> str:
        settings = Settings(relay=RelaySettings(password=SecretStr(PASSWORD)))
        record = logging.getLogger("x").makeRecord(
            "x",
            logging.INFO,
            "f",
            1,
            message,
            values,
            extra.pop("exc", None),
            extra=extra,  # type: ignore[arg-type]
        )
        return logs.Lines(logs._secrets(settings), as_json=as_json).format(record)

    return write


def test_ids_stand_in_fields_of_their_own(line: Callable[..., str]) -> None:
    with logs.about(campaign=3), logs.about(chunk=17):
        told = json.loads(line("it %s", "waits", delivery=5))
    assert (told["campaign"], told["chunk"], told["delivery"]) == (3, 17, 5)
    assert told["message"] == "it waits"
    assert told["level"] == "info"
    assert told["at"].endswith("+00:00")
    assert "campaign" not in json.loads(line("hello"))
    assert line("hello", as_json=False, campaign=3).endswith("x: hello campaign=3")


@pytest.mark.parametrize("as_json", [True, False])
def test_addresses_and_secrets_are_taken_out_wherever_they_stand(
    line: Callable[..., str], as_json: bool
) -> None:
    try:
        raise ValueError(f"ann@example.com has {PASSWORD}")
    except ValueError:
        told = line(
            "refused %s (%s)", "<Bob@Example.org>", PASSWORD, exc=sys.exc_info(), as_json=as_json
        )
    assert "ValueError" in told
    for secret in ("ann@", "Bob@", "example.", "hunter2"):
        assert secret not in told


def test_a_line_stays_one_line(line: Callable[..., str]) -> None:
    assert "\n" not in line("two\nlines\r\n")


@pytest.mark.timeout(90)
def test_a_process_at_work_says_what_and_not_who(home_on_sqlite: Home, smtp_sink: SmtpSink) -> None:
    home = home_on_sqlite
    head = home.settings.read_text().partition("[relay]")[0]
    home.settings.write_text(
        f'{head}[relay]\nhost = "127.0.0.1"\nport = {smtp_sink.port}\n'
        f'username = "ann"\npassword = "{PASSWORD}"\n[log]\nformat = "json"\nlevel = "debug"\n'
    )
    home.world.now = datetime.now(UTC)
    home.world.add_people("canary.one@example.com", "canary.two@example.com")
    process = subprocess.Popen(
        [sys.executable, "-m", "mailer", "serve", "--port", "0"],
        cwd=home.folder,
        stdout=subprocess.PIPE,
        stderr=(home.folder / "log").open("wb"),
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3].rstrip(";")
        token = make(home.world.keyring, Scope.UNSUBSCRIBE, 99)
        httpx.post(f"{url}/u/{token}", headers={"x-request-id": "from-the-proxy"})
        httpx.get(f"{url}/s/weekly?email=canary.three@example.com")
        httpx.post(f"{url}/webhooks/generic", content=b'{"to": "canary.four@example.com"}')
        home.world.add_campaign()
        deadline = time.monotonic() + 30
        while '"campaign"' not in (home.folder / "log").read_text():
            assert time.monotonic() < deadline, (home.folder / "log").read_text()
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    told = (home.folder / "log").read_text()
    lines = [json.loads(one) for one in told.splitlines()]
    assert any(one.get("request") == "from-the-proxy" for one in lines)
    assert any(isinstance(one.get("campaign"), int) for one in lines)
    for secret in ("canary", token, PASSWORD, "example.com"):
        assert secret not in told
