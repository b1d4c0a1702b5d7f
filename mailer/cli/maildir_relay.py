"""An SMTP server on loopback that writes each message it takes into a Maildir."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path
from typing import TypeVar

from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.delivery.compose import TOKEN_HEADER

#: Headers end well before this many bytes.
_HEAD = 16_384


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message in the Maildir, by its headers; `token` names the delivery."""

    path: Path
    recipient: str
    token: str
    unsubscribe_url: str


class MaildirRelay:
    """aiosmtpd's handler. What got a 250 lies in the Maildir."""

    def __init__(self, maildir: Path) -> None:
        self.port = 0
        self.taken = 0
        self._maildir = maildir
        self._numbers = itertools.count(1)
        for folder in ("tmp", "new", "cur"):
            (maildir / folder).mkdir(parents=True, exist_ok=True)

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """aiosmtpd's hook: the reply to the final dot."""
        assert isinstance(envelope.content, bytes)
        for recipient in envelope.rcpt_tos:
            head = f"Return-Path: <{envelope.mail_from or ''}>\r\nDelivered-To: {recipient}\r\n"
            try:
                self._deliver(head.encode() + envelope.content)
            except OSError as exc:
                return f"452 4.3.1 the Maildir can't be written: {exc.strerror}"
        return "250 2.0.0 taken"

    def _deliver(self, message: bytes) -> None:
        """As Maildir wants it: written under tmp, then moved to where readers look."""
        name = f"{time.time_ns()}.P{os.getpid()}Q{next(self._numbers)}.pressrun"
        draft = self._maildir / "tmp" / name
        draft.write_bytes(message)
        draft.rename(self._maildir / "new" / name)
        self.taken += 1


_Relay = TypeVar("_Relay", bound=MaildirRelay)


@contextmanager
def listening(relay: _Relay) -> Iterator[_Relay]:
    """Run it in a thread, on a free loopback port."""
    loop = asyncio.new_event_loop()

    def session() -> SMTP:
        return SMTP(relay, loop=loop, hostname="localhost", ident="Pressrun", enable_SMTPUTF8=True)

    server = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0, backlog=128))
    relay.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="smtp", daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_hang_up())
        loop.close()


async def _hang_up() -> None:
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)


def messages(maildir: Path) -> list[Received]:
    """Everything in the Maildir, in the order of arrival."""
    return [_read(path) for path in sorted((maildir / "new").iterdir())]


def _read(path: Path) -> Received:
    with path.open("rb") as file:
        headers = BytesHeaderParser(policy=default).parsebytes(file.read(_HEAD))
    links = [part.strip(" <>") for part in str(headers["List-Unsubscribe"] or "").split(",")]
    return Received(
        path=path,
        recipient=str(headers["Delivered-To"]),
        token=str(headers[TOKEN_HEADER] or ""),
        unsubscribe_url=next((link for link in links if link.startswith("http")), ""),
    )
