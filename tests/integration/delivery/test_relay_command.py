"""`mailer relay`, and logins by XOAUTH2, against a real server."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, Session

from mailer.cli.app import main
from mailer.delivery.smtp import Connection
from mailer.errors import RelayLoginRefused, RelayUnreachable, SettingsInvalid
from mailer.settings import RelaySettings, SendingSettings
from subscribers.database import Database
from tests.integration.delivery.conftest import Published, World
from tests.services.process import free_port
from tests.services.provider_relay import Key, ProviderRelay
from tests.services.smtp import SmtpSink

TOKEN = "ya29.a-token"
Run = Callable[..., str]


class TokenSink:
    """A server that takes mail from who logs in by XOAUTH2 as `me` with TOKEN."""

    def __init__(self) -> None:
        self.tried: list[bytes] = []

    async def auth_XOAUTH2(self, server: SMTP, arguments: list[str]) -> AuthResult:  # noqa: N802
        """aiosmtpd's hook for the mechanism."""
        told = base64.b64decode(arguments[1])
        self.tried.append(told)
        if told == f"user=me\x01auth=Bearer {TOKEN}\x01\x01".encode():
            return AuthResult(success=True, auth_data=b"me")
        # The error comes as a challenge; the client's empty answer ends it.
        answer = await server.challenge_auth(b'{"status":"400"}')
        assert answer in (b"", MISSING)
        return AuthResult(success=False, handled=False)

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """aiosmtpd's hook: taken."""
        return "250 2.0.0 taken"


@pytest.fixture
def token_sink() -> Iterator[tuple[TokenSink, int]]:
    sink, port = TokenSink(), free_port()
    controller = Controller(
        sink, hostname="127.0.0.1", port=port, auth_require_tls=False, auth_required=True
    )
    controller.start()
    yield sink, port
    controller.stop()


def log_in(port: int, **values: object) -> None:
    relay = RelaySettings(
        host="127.0.0.1",
        port=port,
        username="me",
        auth="xoauth2",
        **values,  # type: ignore[arg-type]
    )
    quick = SendingSettings(command_timeout=3, connect_timeout=3)

    async def open_and_close() -> None:
        connection = await Connection.open(relay, quick, local_hostname="localhost")
        await connection.close()

    asyncio.run(open_and_close())


def test_a_token_logs_in(token_sink: tuple[TokenSink, int]) -> None:
    log_in(token_sink[1], token=TOKEN)
    assert len(token_sink[0].tried) == 1


def test_a_command_prints_a_fresh_token(token_sink: tuple[TokenSink, int], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    log_in(token_sink[1], token_command=f"cat '{tmp_path / 'token'}'")
    assert len(token_sink[0].tried) == 1


def test_a_wrong_token_is_told_and_never_shown(token_sink: tuple[TokenSink, int]) -> None:
    with pytest.raises(RelayLoginRefused, match="check username and token") as refused:
        log_in(token_sink[1], token="expired-token")
    assert "expired-token" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({}, SettingsInvalid, "set token_command"),
        ({"token_command": "/nowhere/program"}, RelayLoginRefused, "can't be run"),
        ({"token_command": ""}, RelayLoginRefused, "can't be run"),
        ({"token_command": "false"}, RelayUnreachable, "no token"),
        ({"token_command": "ls /nowhere-at-all"}, RelayUnreachable, "nowhere-at-all"),
    ],
)
def test_without_a_token_it_is_said_why(
    token_sink: tuple[TokenSink, int], values: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        log_in(token_sink[1], **values)
    assert token_sink[0].tried == []


@pytest.fixture
def mailer(
    sqlite_url: str,
    tmp_path: Path,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `mailer relay …` where `default` is the sink and `down` is nobody."""
    database = Database(sqlite_url)
    World(database=database).add_newsletter()
    database.dispose()
    (tmp_path / "pressrun.toml").write_text(
        f'[relay]\nhost = "127.0.0.1"\nport = {smtp_sink.port}\n'
        f'[relays.down]\nhost = "127.0.0.1"\nport = {free_port()}\nweight = 0.5\n'
        'dialect = "ses"\nstream = "news"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", sqlite_url)

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["mailer", "relay", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert int(ended.value.code or 0) == code, said
        return said.out + said.err

    return run


def test_the_relays_are_listed(mailer: Run, smtp_sink: SmtpSink) -> None:
    listed = json.loads(mailer("list", "--json"))
    assert [(one["relay"], one["weight"]) for one in listed] == [("default", 1.0), ("down", 0.5)]
    assert listed[0]["port"] == smtp_sink.port
    assert [(one["dialect"], one["signs"], one["stream"]) for one in listed] == [
        ("smtp", "us", None),
        ("ses", "both", "news"),
    ]
    assert listed[0]["known"] == "for want of a better guess"
    assert "as its settings say" in mailer("list")


def test_one_that_is_well_tells_what_it_offers_and_takes_a_message(
    mailer: Run, smtp_sink: SmtpSink
) -> None:
    said = mailer("test", "default", "--to", "me@example.com")
    assert "default: well, in plain text, without a login" in said
    assert "8BITMIME" in said
    assert "size        33554432 bytes" in said
    assert "message     sent: 250" in said
    assert "dialect     smtp (any SMTP server), for want of a better guess: leaves" in said
    [mail] = smtp_sink.copies("me@example.com")
    assert mail.sender == "weekly@example.com"
    assert b"Subject: Pressrun: a test of the relay default" in mail.content


def test_one_that_refuses_the_message_says_why(mailer: Run, smtp_sink: SmtpSink) -> None:
    smtp_sink.answer("me@example.com", "550 5.7.1 not you")
    said = json.loads(mailer("test", "default", "--to", "me@example.com", "--json", code=1))
    assert said[0]["trouble"] == "failed: 550 5.7.1 not you"


def test_all_are_tried_and_the_one_that_is_down_is_told(mailer: Run) -> None:
    said = mailer("test", code=1)
    assert "default: well" in said
    assert "down: 127.0.0.1:" in said
    assert "there are: default, down" in mailer("test", "nowhere", code=2)


def test_a_message_goes_by_the_stream_and_its_id_is_told(
    mailer: Run, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert published.settings.rsa_key is not None
    key = Key(domain="example.org", selector="r", pem=published.settings.rsa_key.read_bytes())
    with ProviderRelay("ses", signs_with=key) as relay:
        monkeypatch.setenv("PRESSRUN_RELAYS__DOWN__PORT", str(relay.port))
        said = mailer("test", "down", "--to", "me@example.com")
        [sent] = relay.sent()
    assert "dialect     ses (Amazon SES), as its settings say: replaces" in said
    assert "configuration set news" in said
    assert f"its id      {sent.id}" in said
    assert sent.came["X-SES-CONFIGURATION-SET"] == "news"


def test_a_stream_where_there_is_none_is_one_line(
    mailer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESSRUN_RELAYS__DOWN__DIALECT", "mailgun")
    said = mailer("test", "down", code=2)
    assert said.startswith("mailer: relay.stream: the dialect mailgun has no streams; remove it")
    assert said.count("\n") == 1
    monkeypatch.setenv("PRESSRUN_RELAYS__DOWN__DIALECT", "sendmail")
    said = mailer("list", code=2)
    assert "PRESSRUN_RELAYS__DOWN__DIALECT: " in said
    assert "'smtp', 'ses'" in said
