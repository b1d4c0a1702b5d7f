"""What is wrong around it (relays, ports, folders, pipes) is said in one line, too."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.home import PEOPLE, SCHEDULE, STATS, TEST, Home, Told
from tests.services.smtp import SmtpSink


def test_a_relay_that_is_out_of_reach(home: Home) -> None:
    home.mailer(*TEST).mistake("me@example.com", "127.0.0.1", "relay", code=1)


def test_the_generic_webhook_has_no_sample(home: Home) -> None:
    home.mailer("webhooks", "test", "generic").mistake("no sample", "docs/webhooks.md")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('username = "ann"\npassword = "hunter2"', ("password", "[relay]")),
        ('username = "ann"\npassword = "right"\ntls = "starttls"', ("STARTTLS",)),
    ],
    ids=["password", "starttls"],
)
def test_a_relay_that_refuses_us(home: Home, lines: str, words: tuple[str, ...]) -> None:
    sink = SmtpSink(login=("ann", "right"))
    sink.start()
    try:
        home.relay(f'host = "127.0.0.1"\nport = {sink.port}\n{lines}')
        told = home.mailer(*TEST)
        told.mistake("me@example.com", *words, code=1)
        assert "hunter2" not in told.err
        home.relay(f'host = "127.0.0.1"\nport = {sink.port}\nusername = "ann"\npassword = "right"')
        assert home.mailer(*TEST).out.endswith("(campaign 2)\n")
    finally:
        sink.stop()
    assert [mail.recipients for mail in sink.received] == [("me@example.com",)]


@pytest.mark.timeout(90)
def test_a_campaign_waits_for_the_right_password_and_then_goes_on(home: Home) -> None:
    sink = SmtpSink(login=("ann", "right"))
    sink.start()
    lines = f'host = "127.0.0.1"\nport = {sink.port}\nusername = "ann"\npassword = '
    try:
        home.relay(f'{lines}"hunter2"')
        # Mail to the owner would be a campaign of its own.
        assert home.mailer("newsletter", "set", "--owner-mail", "off").code == 0
        assert home.mailer(*SCHEDULE, "--now").code == 0
        with serving(home):
            wait(lambda: home.sql("SELECT state FROM campaigns") == [("paused",)])
        told = home.mailer("campaign", "status", "1").out
        assert "paused because: " in told
        assert "password" in told
        assert "hunter2" not in told
        assert "mailer campaign resume 1" in told
        assert sink.received == []
        home.relay(f'{lines}"right"')
        assert home.mailer("campaign", "resume", "1").code == 0
        with serving(home):
            wait(lambda: home.sql("SELECT state FROM campaigns") == [("finished",)])
    finally:
        sink.stop()
    assert sorted(mail.recipients[0] for mail in sink.received) == [*PEOPLE]
    assert home.mailer("campaign", "audit", "1").code == 0


@contextmanager
def serving(home: Home) -> Iterator[None]:
    """`mailer serve` as a process, asked to end afterwards."""
    command = [sys.executable, "-m", "mailer", "serve", "--port", "0"]
    with (home.folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0, (home.folder / "serve.log").read_text()


def wait(until: Callable[[], bool]) -> None:
    """Wait until it is so; the test fails where it takes too long."""
    deadline = time.monotonic() + 30
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("command", ["web", "serve"])
def test_a_port_in_use(home: Home, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        home.mailer(command, "--port", str(port)).mistake(f"127.0.0.1:{port}", "--port")


def test_a_port_that_does_not_exist(home: Home) -> None:
    told = home.mailer("web", "--port", "99999")
    assert told.code == 2
    assert "--port" in told.err
    assert "65535" in told.err


@pytest.mark.parametrize(
    ("command", "words", "code"),
    [
        (("issue", "render", "issue.md", "--out", "issue.md/x"), "issue.md/x can't be written", 1),
        (("init", "/proc/x", "--name", "W", "--from", "a@example.com", "--yes"), "/proc/x", 2),
    ],
    ids=["render", "init"],
)
def test_a_folder_that_can_not_be_written(
    home: Home, command: tuple[str, ...], words: str, code: int
) -> None:
    if command[0] == "init":
        command = (*command, "--postal-address", "1 Road")
    home.mailer(*command).mistake(words, code=code)


def test_a_closed_pipe_is_no_drama(home: Home) -> None:
    home.write("many.csv", "email\n" + "".join(f"p{n}@example.com\n" for n in range(5000)))
    assert home.mailer("subscribers", "import", "many.csv").code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "mailer", "subscribers", "export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    words = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) in (0, 1)
    assert words == b""


def test_the_real_command_says_it_too(home: Home) -> None:
    home.write("pressrun.toml", 'publik_url = "x"\n')
    done = subprocess.run(
        [sys.executable, "-m", "mailer", *STATS], capture_output=True, text=True, check=False
    )
    Told(code=done.returncode, out=done.stdout, err=done.stderr).mistake("publik_url")
