"""What a relay offers to those who have logged in: for a person who sets it up."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiosmtplib

from mailer.delivery.smtp.connect import opened
from mailer.settings import RelaySettings, SendingSettings


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A relay's EHLO: `tls` None where the connection is in plain text; `size` 0: no limit told.

    `clock` is the time it greeted with, where it did.
    """

    extensions: tuple[str, ...]
    auth: tuple[str, ...]
    tls: str | None
    size: int
    logged_in_as: str | None
    clock: datetime | None = None


async def offer_of(
    relay: RelaySettings, timeouts: SendingSettings, *, local_hostname: str
) -> Offer:
    """Connect and log in as when sending, look, and leave; raises as `connect` does."""
    smtp, greeting = await opened(relay, timeouts, local_hostname=local_hostname)
    try:
        limit = smtp.esmtp_extensions.get("size", "").strip()
        return Offer(
            extensions=tuple(sorted(name.upper() for name in smtp.esmtp_extensions)),
            auth=tuple(sorted({method.upper() for method in smtp.server_auth_methods})),
            tls=_tls(smtp),
            size=int(limit) if limit.isascii() and limit.isdigit() else 0,
            logged_in_as=relay.username,
            clock=_clock(greeting),
        )
    finally:
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await smtp.quit(timeout=2)
        smtp.close()


def _tls(smtp: aiosmtplib.SMTP) -> str | None:
    tls = smtp.get_transport_info("ssl_object")
    return tls.version() if isinstance(tls, ssl.SSLObject) else None


def _clock(greeting: str) -> datetime | None:
    """The time at the end of a greeting, as sendmail and others put it there."""
    try:
        shown = parsedate_to_datetime(greeting.rpartition(";")[2].strip())
    except ValueError:
        return None
    return shown if shown.tzinfo is not None else None
