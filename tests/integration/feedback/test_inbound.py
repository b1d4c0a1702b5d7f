"""Mail that comes back, by every way: kept before it is acknowledged, applied once."""

from __future__ import annotations

import asyncio
import mailbox as stdlib_mailbox
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailer.errors import MailboxTrouble
from mailer.feedback import mailbox, queries
from mailer.feedback.listener import Inbox, listen
from mailer.feedback.mail_report import MAIL
from mailer.feedback.mailbox import Mailbox
from mailer.feedback.take import take
from subscribers.errors import DatabaseUnavailable
from subscribers.token import Scope
from tests.integration.feedback.world import World
from tests.services.dovecot import PASSWORD, USER, DovecotServer

DOMAIN = "bounces.example.com"


def ada(world: World, text: str = "ada@example.org") -> tuple[int, int]:
    person = world.add_person(text)
    return person, world.add_copy(world.add_campaign(), text, person)


def bounce(to: str, *, status: str = "5.1.1", said: str = "no such user here") -> bytes:
    """A delivery status notification (RFC 3464)."""
    return (
        f"From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example.org\r\n\r\n"
        "Final-Recipient: rfc822; ada@example.org\r\nAction: failed\r\n"
        f"Status: {status}\r\nDiagnostic-Code: smtp; 550 {status} {said}\r\n\r\n--b--\r\n"
    ).encode()


def complaint(verp: str) -> bytes:
    """A feedback report (RFC 5965) about the copy that had this Return-Path."""
    return (
        f"From: feedback@arf.mail.example\r\nTo: fbl@{DOMAIN}\r\nSubject: FW: May\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        "Feedback-Type: abuse\r\nUser-Agent: Loop/1.0\r\nVersion: 1\r\n\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n"
        f"Return-Path: <{verp}@{DOMAIN}>\r\nTo: ada@example.org\r\nSubject: May\r\n\r\nHi\r\n"
        "--b--\r\n"
    ).encode()


@contextmanager
def listening(world: World, *, lmtp: bool = False) -> Iterator[int]:
    stop = threading.Event()
    inbox = Inbox(world.database, world.keyring, domain=DOMAIN, clock=lambda: world.now)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        body = listen(inbox, listener, max_size=100_000, lmtp=lmtp, stop=stop.is_set)
        thread = threading.Thread(target=asyncio.run, args=(body,))
        thread.start()
        try:
            yield port
        finally:
            stop.set()
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize("lmtp", [False, True], ids=["smtp", "lmtp"])
def test_a_bounce_to_our_return_path(world: World, lmtp: bool) -> None:
    person, delivery = ada(world)
    to = f"{world.verp(delivery)}@{DOMAIN}"
    with listening(world, lmtp=lmtp) as port:
        kind = smtplib.LMTP if lmtp else smtplib.SMTP
        with kind("127.0.0.1", port, timeout=10) as client:
            for _ in range(2):
                client.sendmail("", [to], bounce("somebody@else.example"))
    assert world.status(person) == "active"
    assert world.apply() == 1
    assert world.status(person) == "bounced"
    assert world.is_suppressed("ada@example.org")
    assert world.bodies() == [b""]


@pytest.mark.parametrize("mailbox", ["fbl", "Abuse"])
def test_a_complaint_comes_to_the_mailbox_for_complaints(world: World, mailbox: str) -> None:
    person, delivery = ada(world)
    with listening(world) as port, smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.sendmail("", [f"{mailbox}@{DOMAIN}"], complaint(world.verp(delivery)))
        client.sendmail("", [f"{mailbox}@{DOMAIN}"], complaint("b-" + "a" * 40))
    assert world.apply() == 2
    assert world.status(person) == "complained"
    assert world.is_suppressed("ada@example.org")


def test_mail_for_nobody_of_ours_is_refused(world: World) -> None:
    _, delivery = ada(world)
    verp = world.verp(delivery)
    strange = [
        f"{verp}@example.net",
        f"{verp[:-1]}a@{DOMAIN}" if not verp.endswith("a") else f"{verp[:-1]}b@{DOMAIN}",
        f"{verp[:30]}@{DOMAIN}",
        f"postmaster@{DOMAIN}",
    ]
    with listening(world) as port, smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.ehlo()
        client.mail("")
        assert [client.rcpt(address)[0] for address in strange] == [550] * len(strange)
        assert client.rcpt(f"{verp.upper()}@{DOMAIN.upper()}")[0] == 250
        assert client.data(b"x\r\n" * 80_000)[0] == 552
    assert world.results() == []


def test_what_cannot_be_kept_is_not_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, delivery = ada(world)

    def gone(*_arguments: object) -> list[bool]:
        raise DatabaseUnavailable

    monkeypatch.setattr(queries, "keep_requests", gone)
    to = f"{world.verp(delivery)}@{DOMAIN}"
    with (
        listening(world) as port,
        smtplib.SMTP("127.0.0.1", port, timeout=10) as client,
        pytest.raises(smtplib.SMTPDataError) as refused,
    ):
        client.sendmail("", [to], bounce("x@y.example"))
    assert refused.value.smtp_code == 451


def test_a_request_to_unsubscribe_by_mail(world: World) -> None:
    person, delivery = ada(world)
    eve, _ = ada(world, "eve@example.org")
    token = world.token(Scope.UNSUBSCRIBE, delivery)
    head = b"To: unsubscribe@bounces.example.com\r\n"
    for message in (
        b"From: x@y.example\r\n" + head + f"Subject: {token}\r\n\r\n".encode(),
        b"From: eve@example.org\r\n" + head + b"Subject: unsubscribe\r\n\r\nPlease.\r\n",
        b"From: eve@example.org\r\n" + head + f"Subject: {token[:-1]}\r\n\r\n".encode(),
    ):
        take(world.database, message, recipient=f"unsubscribe@{DOMAIN}", now=world.now)
    world.apply()
    assert world.status(person) == "unsubscribed"
    # Anybody can write her name there: a person should look at it.
    assert world.status(eve) == "active"
    with world.database.read() as session:
        assert len(queries.not_understood(session, MAIL, most=9)) == 2


def test_an_auto_reply_and_a_letter_suppress_nobody(world: World) -> None:
    person, delivery = ada(world)
    to = f"{world.verp(delivery)}@{DOMAIN}"
    vacation = (
        b"From: ada@example.org\r\nAuto-Submitted: auto-replied\r\nSubject: away\r\n\r\nHi\r\n"
    )
    letter = b"From: ada@example.org\r\nSubject: a question\r\n\r\nWhere do I write to?\r\n"
    for message in (vacation, letter):
        take(world.database, message, recipient=to, now=world.now)
    world.apply()
    assert (world.status(person), world.copy(delivery)) == ("active", ("sent", None))
    assert world.events(MAIL) == [("auto-reply", "ignored: says nothing about the person")]
    with world.database.read() as session:
        (kept,) = queries.not_understood(session, MAIL, most=9)
        assert (
            queries.body_of(session, MAIL, kept.id) == f"Delivered-To: {to}\r\n".encode() + letter
        )


def test_a_forged_bounce_without_our_token_changes_nothing(world: World) -> None:
    person, _ = ada(world)
    take(world.database, bounce(f"b-{'a' * 40}@{DOMAIN}"), now=world.now)
    world.apply()
    assert world.status(person) == "active"
    assert world.events(MAIL)[0][1].startswith("its ")


def test_files_are_read_once(world: World, tmp_path: Path) -> None:
    sent = [ada(world, f"p{n}@example.org") for n in range(3)]
    messages = [bounce(f"{world.verp(delivery)}@{DOMAIN}") for _, delivery in sent]
    folder = stdlib_mailbox.Maildir(tmp_path / "Maildir")
    folder.add(messages[0])
    box = stdlib_mailbox.mbox(tmp_path / "mbox")
    box.add(messages[1])
    box.close()
    (tmp_path / "one.eml").write_bytes(messages[2])
    keep = lambda message: take(world.database, message, now=world.now)  # noqa: E731
    for _ in range(2):
        for name in ("Maildir", "mbox", "one.eml"):
            mailbox.read_files(tmp_path / name, keep)
    assert world.apply() == 3
    assert {world.status(person) for person, _ in sent} == {"bounced"}
    assert mailbox.read_files(tmp_path / "Maildir", keep) == 0


def boxes(server: DovecotServer, password: str = PASSWORD) -> dict[str, Mailbox]:
    ports = {"imap": server.imap_port, "pop3": server.pop3_port}
    return {
        kind: Mailbox(url=f"{kind}://{USER}@127.0.0.1:{port}/", password=password)
        for kind, port in ports.items()
    }


def test_a_mailbox_is_emptied_only_of_what_was_kept(dovecot: DovecotServer) -> None:
    kept: list[bytes] = []

    def keep(message: bytes) -> None:
        if b"second" in message:
            raise DatabaseUnavailable
        kept.append(message)

    for kind, box in boxes(dovecot).items():
        kept.clear()
        dovecot.deliver(f"1.{kind}", b"Subject: first\r\n\r\nHi\r\n")
        assert mailbox.empty(box, keep) == 1
        assert (dovecot.left(), kept) == (0, [b"Subject: first\r\n\r\nHi\r\n"])
        dovecot.deliver(f"2.{kind}", b"Subject: second\r\n\r\nHi\r\n")
        with pytest.raises(DatabaseUnavailable):
            mailbox.empty(box, keep)
        assert dovecot.left() == 1
        mailbox.empty(box, kept.append)


def test_a_wrong_password_is_told_in_one_line(dovecot: DovecotServer) -> None:
    for box in boxes(dovecot, "wrong").values():
        with pytest.raises(MailboxTrouble, match=r"check inbound\.mailbox"):
            mailbox.empty(box, lambda message: None)


def test_idle_hears_of_news_at_once(dovecot: DovecotServer) -> None:
    kept: list[bytes] = []
    stop = threading.Event()
    box = boxes(dovecot)["imap"]
    thread = threading.Thread(
        target=mailbox.watch,
        args=(box, kept.append),
        kwargs={"stop": stop.is_set, "poll_seconds": 99},
    )
    thread.start()
    try:
        for n in range(3):
            time.sleep(0.5)
            dovecot.deliver(f"{n}.idle", f"Subject: {n}\r\n\r\nHi\r\n".encode())
            deadline = time.monotonic() + 10
            while len(kept) <= n:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        stop.set()
        thread.join(10)
    assert dovecot.left() == 0
