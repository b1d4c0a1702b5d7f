"""An SMTP server in a thread of the test, which answers as it is told and keeps what it got."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from dataclasses import dataclass

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.services.process import free_port


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message as it came over the wire, with CRLF line ends."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    #: Whether the connection was encrypted, and who had logged in.
    encrypted: bool = False
    login: str | None = None
    #: When it was taken, in Unix seconds.
    at: float = 0.0


class SmtpSink:
    """A server on a free loopback port.

    `answer()` scripts replies per recipient; who is not named gets 250. With `certificate`
    (a server-side context) it offers STARTTLS, or speaks TLS from the first byte with
    `implicit_tls`; with `login` it demands that name and password.
    """

    def __init__(
        self,
        *,
        certificate: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.received: list[Received] = []
        self._scripts: dict[tuple[str, str], deque[str]] = {}
        self._login = login
        self._logged_in: list[asyncio.Transport] = []
        self.host = "127.0.0.1"
        self.port = free_port()
        self._controller = Controller(
            self,
            hostname=self.host,
            port=self.port,
            ssl_context=certificate if implicit_tls else None,
            tls_context=None if implicit_tls else certificate,
            require_starttls=bool(certificate and not implicit_tls),
            authenticator=self._authenticate if login else None,
            auth_required=login is not None,
            auth_require_tls=certificate is not None and not implicit_tls,
            decode_data=False,
            enable_SMTPUTF8=True,
        )

    def start(self) -> None:
        """Listen, in a thread of its own."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        self._controller.stop()

    def answer(self, recipient: str, *replies: str, phase: str = "rcpt") -> None:
        """Script the replies to this recipient, first to last; then it is 250 again.

        `phase` is `rcpt`, or `reply`: the answer to the final dot. A reply "drop" closes the
        connection instead; the last of `replies` may end in "…" to be given for ever.
        """
        self._scripts[recipient, phase] = deque(replies)

    def demand(self, name: str, password: str) -> None:
        """Take no other login from now on; who is logged in is cut off."""
        self._login = (name, password)
        for transport in self._logged_in:
            self._controller.loop.call_soon_threadsafe(transport.abort)
        self._logged_in.clear()

    def copies(self, recipient: str) -> list[Received]:
        """What this recipient got."""
        return [mail for mail in self.received if recipient in mail.recipients]

    def _next(self, recipient: str, phase: str) -> str | None:
        script = self._scripts.get((recipient, phase))
        if not script:
            return None
        if script[0].endswith("…"):
            return script[0].removesuffix("…")
        return script.popleft()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        known = self._login == (data.login.decode(), data.password.decode())
        if known and isinstance(server.transport, asyncio.Transport):
            self._logged_in.append(server.transport)
        return AuthResult(success=known, handled=False, auth_data=data.login.decode())

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """aiosmtpd's hook: the reply to RCPT TO."""
        reply = self._next(address, "rcpt")
        if reply == "drop":
            return _drop(server)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """aiosmtpd's hook: the reply to the final dot."""
        for recipient in envelope.rcpt_tos:
            reply = self._next(recipient, "reply")
            if reply == "drop":
                return _drop(server)
            if reply:
                return reply
        assert isinstance(envelope.content, bytes)
        self.received.append(
            Received(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                content=envelope.content,
                encrypted=_is_encrypted(server),
                login=session.auth_data if isinstance(session.auth_data, str) else None,
                at=time.time(),
            )
        )
        return "250 2.0.0 taken"


def _is_encrypted(server: SMTP) -> bool:
    assert server.transport is not None
    return server.transport.get_extra_info("sslcontext") is not None


def _drop(server: SMTP) -> str:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()
    return "421 4.3.0 dropped"
