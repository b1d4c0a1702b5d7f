"""An SMTP or LMTP server for the mail that comes back, behind an MX or a Postfix transport.

It takes mail for our own Return-Paths and the mailboxes for unsubscribing and for complaints, and
for nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from datetime import datetime

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.delivery.compose import UNSUBSCRIBE_MAILBOX
from mailer.feedback.take import take
from subscribers.database import Database
from subscribers.errors import PressrunError, TokenInvalid
from subscribers.token import Keyring, read_verp

#: Where feedback loops send complaints (RFC 6449, 3), and where people do (RFC 2142).
COMPLAINT_MAILBOXES = frozenset({"fbl", "abuse"})

log = logging.getLogger(__name__)

_TAKEN = "250 2.0.0 kept"
_NOBODY = "550 5.1.1 nobody has this address here"
_LATER = "451 4.3.0 it can't be kept just now, send it again later"
#: Recipients of one message: a bounce has one.
_MOST_RECIPIENTS = 100


class Inbox:
    """Decides who gets mail here, and keeps each message before it is acknowledged."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        *,
        domain: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._domain = domain.lower()
        self._clock = clock

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        """Take our own addresses; a forged or cut token is nobody's."""
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        if not self._is_ours(address):
            return _NOBODY
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the message once for each recipient; only then say so."""
        content = envelope.content
        assert isinstance(content, bytes)
        for recipient in envelope.rcpt_tos:
            try:
                await asyncio.to_thread(
                    take, self._database, content, recipient=recipient, now=self._clock()
                )
            except PressrunError as exc:
                log.warning("mail could not be kept: %s", exc)
                return _LATER
        return _TAKEN

    def _is_ours(self, address: str) -> bool:
        local_part, _, domain = address.rpartition("@")
        if domain.lower() != self._domain or not address.isprintable():
            return False
        if local_part.lower() in COMPLAINT_MAILBOXES | {UNSUBSCRIBE_MAILBOX}:
            return True
        try:
            read_verp(self._keyring, local_part, now=self._clock())
        except TokenInvalid:
            return False
        return True


async def listen(
    inbox: Inbox,
    sockets: socket.socket,
    *,
    max_size: int,
    lmtp: bool = False,
    stop: Callable[[], bool],
) -> None:
    """Serve until `stop()` is true; what is being taken is taken to its end."""
    kind = LMTP if lmtp else SMTP
    loop = asyncio.get_running_loop()

    def make() -> SMTP:
        return kind(inbox, data_size_limit=max_size, enable_SMTPUTF8=True, ident="Pressrun")

    server = await loop.create_server(make, sock=sockets)
    async with server:
        while not stop():  # noqa: ASYNC110 - a signal handler may touch no Event
            await asyncio.sleep(0.1)
