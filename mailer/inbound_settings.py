"""How mail comes back to this installation: `[inbound]`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from mailer.section import Section

_SCHEMES = ("imap", "imaps", "pop3", "pop3s")


class InboundSettings(Section):
    """Bounces, complaints and requests to unsubscribe that come by mail."""

    #: The address that `mailer inbound listen` listens on.
    host: str = "127.0.0.1"
    #: Its port; 0 takes any free one.
    port: int = Field(default=8026, ge=0, le=65535)
    #: The largest message taken, in bytes.
    max_size: int = Field(default=10_000_000, ge=10_000)
    #: The mailbox that `mailer inbound fetch` empties: `imaps://user@host/INBOX`, `pop3s://…`.
    mailbox: str | None = None
    #: The mailbox's password; better in `password_file`, or a variable.
    password: SecretStr | None = None
    #: A file that holds the password and nothing else.
    password_file: Path | None = None
    #: How often a mailbox is looked at that can't tell of news by itself, in seconds.
    poll_seconds: float = Field(default=60.0, gt=0)

    @field_validator("mailbox")
    @classmethod
    def _known_mailbox(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname or not parts.username:
            raise ValueError(f"must look like imaps://user@host/INBOX ({', '.join(_SCHEMES)})")
        if parts.password:
            raise ValueError("must not hold the password; set inbound.password_file instead")
        return url
