"""The demo's SMTP server: it refuses some people for good or for now."""

from __future__ import annotations

from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.cli.maildir_relay import MaildirRelay

FOR_GOOD = "no-"
FOR_NOW = "later-"


class DemoRelay(MaildirRelay):
    """A Maildir whose owner is not in for everybody."""

    def __init__(self, maildir: Path) -> None:
        super().__init__(maildir)
        self.refused: set[str] = set()
        self.put_off: set[str] = set()

    async def handle_RCPT(  # noqa: N802
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """aiosmtpd's hook: the reply to RCPT TO."""
        if address.startswith(FOR_GOOD):
            self.refused.add(address)
            return "550 5.1.1 no such mailbox here"
        if address.startswith(FOR_NOW) and address not in self.put_off:
            self.put_off.add(address)
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"
