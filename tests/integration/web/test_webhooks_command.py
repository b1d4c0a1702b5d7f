"""`mailer webhooks` tells what is so, and through the running process too."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from mailer.cli.webhooks import app
from mailer.settings import load
from mailer.web.app import create_app
from mailer.web.server import bind
from mailer.web.services import WebServices
from mailer.webhooks.providers import PROVIDERS
from tests.integration.feedback.world import World

SECRET = "key-0123456789abcdef"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "pressrun.toml"
    (tmp_path / "mailgun.secret").write_text(SECRET + "\n")
    file.write_text(
        'public_url = "https://news.example.com"\n[web]\nport = 1\n'
        '[webhooks.mailgun]\nsecret_file = "mailgun.secret"\n'
    )
    monkeypatch.chdir(tmp_path)
    return file


@pytest.mark.usefixtures("config")
def test_the_list_names_url_setting_and_state() -> None:
    done = CliRunner().invoke(app, ["list"])
    rows = dict(line.split("\t", 1) for line in done.output.splitlines())
    assert rows["mailgun"] == (
        "open\thttps://news.example.com/webhooks/mailgun\twebhooks.mailgun.secret"
    )
    assert rows["postal"].startswith("closed\t")
    assert rows.keys() == {*PROVIDERS, "generic"}
    assert SECRET not in done.output


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("name", PROVIDERS)
def test_each_sample_verifies_and_is_understood(name: str) -> None:
    done = CliRunner().invoke(app, ["test", name])
    assert done.exit_code == 0, done.output
    assert "bounced hard no-such-user nobody@example.com" in done.output
    expected = "signed with your" if name == "mailgun" else "closed until"
    assert expected in done.output


@pytest.mark.usefixtures("config")
def test_a_process_that_does_not_run_is_told() -> None:
    done = CliRunner().invoke(app, ["test", "mailgun", "--post"])
    assert done.exit_code == 1


def test_a_sample_goes_through_the_running_process(config: Path, world: World) -> None:
    settings = load(config)
    services = WebServices(settings=settings, database=world.database, keyring=world.keyring)
    with bind(settings.web.model_copy(update={"port": 0})) as listener:
        port = listener.getsockname()[1]
        config.write_text(config.read_text().replace("port = 1", f"port = {port}"))
        server = uvicorn.Server(uvicorn.Config(create_app(services), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        done = CliRunner().invoke(app, ["test", "mailgun", "--post"])
        closed = CliRunner().invoke(app, ["test", "postal", "--post"])
        deadline = time.monotonic() + 5
        while None in world.results() and time.monotonic() < deadline:
            time.sleep(0.05)
        server.should_exit = True
        thread.join(10)
    assert (done.exit_code, closed.exit_code) == (0, 0), done.output + closed.output
    assert "200 Kept" in done.output
    assert "404" in closed.output
    assert world.results() == ["1 ignored: its message is not ours"]
