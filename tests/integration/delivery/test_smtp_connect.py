"""Connecting: TLS as the policy says, logins, and one clear line where it can't be done."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from aiosmtplib import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from mailer.delivery.model import Message, Verdict
from mailer.delivery.smtp import Connection, Handed
from mailer.errors import (
    RelayLoginRefused,
    RelayTrouble,
    RelayUnreachable,
    RelayWithoutTls,
    SettingsInvalid,
)
from mailer.settings import RelaySettings, SendingSettings
from tests.services.process import free_port
from tests.services.scripted_smtp import Drop, Hang, ScriptedServer, Trickle
from tests.services.smtp import SmtpSink

TIMEOUTS = SendingSettings(connect_timeout=0.5, command_timeout=0.5, reply_timeout=0.8)
SECRET = "correct horse battery staple"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


def certificate(folder: Path, *names: x509.GeneralName) -> tuple[ssl.SSLContext, Path]:
    """A self-signed certificate: the server's context, and the file that makes it trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "relay.pem"
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + public)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    authority = folder / "authority.pem"
    authority.write_bytes(public)
    return context, authority


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    return certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


def message(body: bytes = b"Hello.\r\n") -> Message:
    return Message(
        delivery_id=1,
        envelope_from="me@news.test",
        envelope_to="you@example.test",
        content=b"Subject: x\r\n\r\n" + body,
    )


async def handed_to(
    server: ScriptedServer, relay: RelaySettings, body: bytes = b"Hello.\r\n"
) -> Handed:
    async with server:
        relay = relay.model_copy(update={"port": server.port})
        connection = await Connection.open(relay, TIMEOUTS, local_hostname="news.test")
        handed = await connection.send(message(body))
        await connection.close()
    return handed


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_mail_goes_by_tls(
    mode: str, tls: tuple[ssl.SSLContext, Path], runner: asyncio.Runner
) -> None:
    server = ScriptedServer(tls=tls[0], implicit=mode == "implicit")
    relay = RelaySettings(tls=mode, ca_file=tls[1])
    handed = runner.run(handed_to(server, relay, b"x" * 70 + b"\r\n" + b"y" * 500_000 + b"\r\n"))
    assert handed.verdict is Verdict.SENT
    assert server.taken[0].tls
    assert len(server.taken[0].content) > 500_000


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
@pytest.mark.parametrize("moment", ["body", "dot"])
def test_a_server_gone_silent_in_tls(
    mode: str, moment: str, tls: tuple[ssl.SSLContext, Path], runner: asyncio.Runner
) -> None:
    """With megabytes still here it is deferred; with the dot gone nobody can tell."""
    server = ScriptedServer(
        {moment: [Hang()]}, extensions=(), tls=tls[0], implicit=mode == "implicit"
    )
    relay = RelaySettings(tls=mode, ca_file=tls[1])
    body = (b"x" * 70 + b"\r\n") * (200_000 if moment == "body" else 10)
    handed = runner.run(handed_to(server, relay, body))
    assert handed.verdict is (Verdict.DEFERRED if moment == "body" else Verdict.UNKNOWN)


def test_an_untrusted_certificate_ends_it(
    tls: tuple[ssl.SSLContext, Path], runner: asyncio.Runner
) -> None:
    for implicit in (False, True):
        server = ScriptedServer(tls=tls[0], implicit=implicit)
        relay = RelaySettings(tls="implicit" if implicit else "starttls")
        with pytest.raises(RelayWithoutTls, match=r"can't be trusted.*self.signed.*ca_file"):
            runner.run(handed_to(server, relay))
        assert server.taken == []
        assert all(b"MAIL" not in line for lines in server.lines for line in lines)


def test_a_certificate_for_another_host_ends_it(tmp_path: Path, runner: asyncio.Runner) -> None:
    context, authority = certificate(tmp_path, x509.DNSName("other.test"))
    server = ScriptedServer(tls=context)
    with pytest.raises(RelayWithoutTls, match="can't be trusted"):
        runner.run(handed_to(server, RelaySettings(tls="starttls", ca_file=authority)))


def test_verification_can_be_left_out(
    tls: tuple[ssl.SSLContext, Path], runner: asyncio.Runner
) -> None:
    server = ScriptedServer(tls=tls[0])
    handed = runner.run(handed_to(server, RelaySettings(tls="starttls", verify=False)))
    assert handed.verdict is Verdict.SENT
    assert server.taken[0].tls


STRIPPED = {
    "fault 24: not offered": ({}, RelayWithoutTls),
    "fault 24: refused": ({"STARTTLS": [b"502 5.5.1 What?\r\n"]}, RelayWithoutTls),
    "fault 24: plain text instead": (
        {"STARTTLS": [b"220 Go\r\n250 hello in plain text\r\n"]},
        RelayWithoutTls,
    ),
    "fault 24: refused for now": (
        {"STARTTLS": [b"454 4.7.0 TLS not available\r\n"]},
        RelayUnreachable,
    ),
    "fault 24: lost": ({"STARTTLS": [Drop()]}, RelayUnreachable),
    "fault 24: lost after 220": ({"STARTTLS": [(b"220 Go\r\n", Drop())]}, RelayUnreachable),
    "fault 24: silent": ({"STARTTLS": [Hang()]}, RelayUnreachable),
}


@pytest.mark.parametrize("name", STRIPPED)
def test_stripped_tls_never_falls_back_to_plain_text(name: str, runner: asyncio.Runner) -> None:
    script, error = STRIPPED[name]
    offered = () if name.endswith("not offered") else (b"STARTTLS",)
    server = ScriptedServer(script, extensions=offered, login=("me", SECRET))
    relay = RelaySettings(tls="starttls", username="me", password=SecretStr(SECRET))
    with pytest.raises(error, match=r"^127\.0\.0\.1:\d+") as caught:
        runner.run(handed_to(server, relay))
    assert "\n" not in str(caught.value)
    verbs = [line.split()[0] for line in server.lines[0] if line.isascii() and line.strip()]
    assert b"AUTH" not in verbs
    assert b"MAIL" not in verbs


def test_auto_asks_for_tls_everywhere_but_on_loopback(
    monkeypatch: pytest.MonkeyPatch, runner: asyncio.Runner
) -> None:
    server = ScriptedServer()
    assert runner.run(handed_to(server, RelaySettings())).verdict is Verdict.SENT
    # The same server, reached by a name that could be anywhere.
    monkeypatch.setattr("mailer.delivery.smtp.connect.is_loopback", lambda host: False)
    server = ScriptedServer()
    with pytest.raises(RelayWithoutTls, match="offers no STARTTLS"):
        runner.run(handed_to(server, RelaySettings()))
    assert [line.split()[0] for line in server.lines[0]] == [b"EHLO"]


def test_what_was_injected_behind_starttls_is_dropped(
    tls: tuple[ssl.SSLContext, Path], runner: asyncio.Runner
) -> None:
    """A man in the middle adds a reply in plain text; it must not speak for the server."""
    injected = b"220 Go\r\n250-evil.test\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n"
    server = ScriptedServer({"STARTTLS": [injected]}, tls=tls[0])

    async def capabilities() -> tuple[bool, Verdict]:
        async with server:
            relay = RelaySettings(tls="starttls", ca_file=tls[1], port=server.port)
            connection = await Connection.open(relay, TIMEOUTS, local_hostname="news.test")
            handed = await connection.send(message())
            await connection.close()
            return connection.capabilities.chunking, handed.verdict

    assert runner.run(capabilities()) == (False, Verdict.SENT)
    assert server.taken[0].tls


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_logins(method: str, monkeypatch: pytest.MonkeyPatch, runner: asyncio.Runner) -> None:
    monkeypatch.setattr(SMTP, "AUTH_METHODS", (method.lower(),))
    for password, welcome in ((SECRET, True), ("wrong", False)):
        server = ScriptedServer(login=("me", SECRET))
        relay = RelaySettings(username="me", password=SecretStr(password))
        if welcome:
            assert runner.run(handed_to(server, relay)).verdict is Verdict.SENT
        else:
            with pytest.raises(RelayLoginRefused, match=r"refuses the login of me.*535") as caught:
                runner.run(handed_to(server, relay))
            assert password not in str(caught.value)
        assert any(method.encode() in line for line in server.lines[0])


TROUBLES = {
    "greeting 554": ({"greeting": [b"554 5.7.1 Go away\r\n"]}, RelayUnreachable, "554"),
    "greeting 421": ({"greeting": [b"421 4.3.2 Busy\r\n"]}, RelayUnreachable, "421"),
    "greeting lost": ({"greeting": [Drop()]}, RelayUnreachable, ""),
    "greeting silent": ({"greeting": [Hang()]}, RelayUnreachable, "[Tt]imed out"),
    "greeting trickled": (
        {"greeting": [Trickle(b"220 relay.test ESMTP at last\r\n", 0.05)]},
        RelayUnreachable,
        "[Tt]imed out",
    ),
    "greeting garbage": (
        {"greeting": [b"SSH-2.0-OpenSSH\r\n\x1b[31mred\r\n"]},
        RelayUnreachable,
        "SSH-2.0",
    ),
    "greeting endless": ({"greeting": [b"220 " + b"a" * 1_000_000]}, RelayUnreachable, "too long"),
    "EHLO refused": ({"EHLO": [b"550 5.7.1 Who?\r\n"]}, RelayUnreachable, "550"),
    "EHLO lost": ({"EHLO": [Drop()]}, RelayUnreachable, ""),
    "AUTH not offered": ({}, RelayLoginRefused, "offers no login"),
    "AUTH for now": ({"AUTH": [b"454 4.7.0 Later\r\n"] * 3}, RelayUnreachable, "454"),
    "AUTH lost": ({"AUTH": [Drop()]}, RelayUnreachable, ""),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_one_clear_line(name: str, runner: asyncio.Runner) -> None:
    script, error, words = TROUBLES[name]
    login = None if name == "AUTH not offered" else ("me", SECRET)
    server = ScriptedServer(script, login=login)
    relay = RelaySettings(username="me", password=SecretStr(SECRET))
    with pytest.raises(error, match=rf"^127\.0\.0\.1:\d+ .*{words}.*; ") as caught:
        runner.run(handed_to(server, relay))
    assert str(caught.value).isprintable()
    assert SECRET not in str(caught.value)


def test_nobody_listens(runner: asyncio.Runner) -> None:
    port = free_port()
    with pytest.raises(RelayUnreachable, match=rf"127\.0\.0\.1:{port} .*\[relay\]"):
        runner.run(Connection.open(RelaySettings(port=port), TIMEOUTS, local_hostname="a.test"))


def test_plain_text_where_tls_was_expected(runner: asyncio.Runner) -> None:
    with pytest.raises(RelayTrouble, match="TLS"):
        runner.run(handed_to(ScriptedServer(), RelaySettings(tls="implicit")))


def test_a_ca_file_that_is_none(tmp_path: Path, runner: asyncio.Runner) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(SettingsInvalid, match=r"relay\.ca_file: .*missing\.pem"):
        runner.run(handed_to(ScriptedServer(), RelaySettings(tls="starttls", ca_file=missing)))


def test_aiosmtpd_with_tls_and_login(
    tls: tuple[ssl.SSLContext, Path], runner: asyncio.Runner
) -> None:
    sink = SmtpSink(certificate=tls[0], login=("me", SECRET))
    sink.start()
    with contextlib.ExitStack() as stack:
        stack.callback(sink.stop)
        relay = RelaySettings(
            port=sink.port,
            tls="starttls",
            ca_file=tls[1],
            username="me",
            password=SecretStr(SECRET),
        )

        async def send() -> Handed:
            connection = await Connection.open(relay, TIMEOUTS, local_hostname="news.test")
            handed = await connection.send(message(b".dot\r\n"))
            await connection.close()
            return handed

        assert runner.run(send()).verdict is Verdict.SENT
        (received,) = sink.received
        assert received.encrypted
        assert received.login == "me"
        assert received.content.endswith(b"\r\n\r\n.dot\r\n")


@pytest.fixture
def smtp_sink_of_postfix(tmp_path: Path) -> Iterator[Callable[..., int]]:
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/lib/postfix/sbin:/usr/bin")
    if program is None:
        missing = "Postfix's smtp-sink is not installed"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> int:
        port = free_port()
        running.append(
            subprocess.Popen(
                [program, "-u", "nobody", *options, f"127.0.0.1:{port}", "100"],
                cwd=tmp_path,
                stderr=subprocess.DEVNULL,
            )
        )
        return port

    yield start
    for process in running:
        process.terminate()
        process.wait(5)


async def patient(port: int) -> Connection:
    """Open a connection to a server that may still be starting."""
    for _ in range(100):
        try:
            return await Connection.open(
                RelaySettings(port=port), TIMEOUTS, local_hostname="news.test"
            )
        except RelayUnreachable:
            await asyncio.sleep(0.02)
    raise AssertionError("smtp-sink does not start")


POSTFIX = {
    "takes all": ((), [Verdict.SENT] * 3),
    "refuses RCPT": (("-f", "RCPT"), [Verdict.FAILED] * 3),
    "defers the dot": (("-r", "."), [Verdict.DEFERRED] * 3),
    "drops after DATA": (("-q", "DATA"), [Verdict.DEFERRED] * 3),
    "drops after the dot": (("-q", "."), [Verdict.UNKNOWN, *[Verdict.DEFERRED] * 2]),
    "421 to MAIL": (("-Q", "MAIL"), [Verdict.DEFERRED] * 3),
}


@pytest.mark.parametrize("name", POSTFIX)
def test_a_real_postfix_sink(
    name: str, smtp_sink_of_postfix: Callable[..., int], runner: asyncio.Runner
) -> None:
    options, verdicts = POSTFIX[name]
    port = smtp_sink_of_postfix(*options)

    async def send() -> list[Verdict]:
        connection = await patient(port)
        ends = [(await connection.send(message())).verdict for _ in range(3)]
        await connection.close()
        return ends

    assert runner.run(send()) == verdicts
