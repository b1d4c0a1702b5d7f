"""Connecting by aiosmtplib: TCP, greeting, EHLO, TLS as the policy says, login."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from functools import lru_cache
from pathlib import Path
from typing import cast

import aiosmtplib

from mailer.delivery.smtp.commands import Capabilities
from mailer.delivery.smtp.token import access_token
from mailer.errors import RelayLoginRefused, RelayUnreachable, RelayWithoutTls, SettingsInvalid
from mailer.settings import RelaySettings, SendingSettings


async def connect(
    relay: RelaySettings, timeouts: SendingSettings, *, local_hostname: str
) -> tuple[asyncio.Transport, Capabilities]:
    """Return a transport that is past TLS and login, and what the server offers there.

    Raises RelayUnreachable, RelayWithoutTls, RelayLoginRefused or SettingsInvalid.
    """
    smtp, _ = await opened(relay, timeouts, local_hostname=local_hostname)
    transport = smtp.transport
    if transport is None or transport.is_closing():
        smtp.close()
        raise RelayUnreachable(f"{_place(relay)}: the relay closed the connection")
    # uvloop's transports have the interface and not the type.
    return cast(asyncio.Transport, transport), Capabilities.offered(smtp.esmtp_extensions)


async def opened(
    relay: RelaySettings, timeouts: SendingSettings, *, local_hostname: str
) -> tuple[aiosmtplib.SMTP, str]:
    """Connect, start TLS as the policy says, log in; gives what it greeted with, too.

    Raises as `connect` does.
    """
    by_tls = relay.tls == "implicit" or _wants_starttls(relay)
    # In a thread: it reads the system's certificates.
    context = await asyncio.to_thread(_tls_context, relay.verify, relay.ca_file) if by_tls else None
    smtp = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=local_hostname,
        timeout=timeouts.command_timeout,
        use_tls=relay.tls == "implicit",
        start_tls=False,
        tls_context=context,
    )
    try:
        greeting = await _greet(smtp, relay, timeouts)
        if _wants_starttls(relay):
            await _start_tls(smtp, relay, timeouts)
        if relay.username is not None:
            await _log_in(smtp, relay)
    except BaseException:
        smtp.close()
        raise
    return smtp, greeting


async def _greet(smtp: aiosmtplib.SMTP, relay: RelaySettings, timeouts: SendingSettings) -> str:
    try:
        greeting = await smtp.connect(timeout=timeouts.connect_timeout)
        await smtp.ehlo()
    except (aiosmtplib.SMTPException, OSError) as exc:
        if (reason := _tls_failure(exc)) is not None:
            raise _untrusted(relay, reason) from exc
        raise _unreachable(relay, exc) from exc
    return greeting.message


async def _start_tls(
    smtp: aiosmtplib.SMTP, relay: RelaySettings, timeouts: SendingSettings
) -> None:
    """Turn to TLS or raise: from here nothing goes on in plain text."""
    if not smtp.supports_extension("starttls"):
        raise RelayWithoutTls(
            f"{_place(relay)} offers no STARTTLS; "
            'use tls = "none" only on a network you trust, or tls = "implicit" with port 465'
        )
    try:
        await smtp.starttls(timeout=timeouts.connect_timeout)
        await smtp.ehlo()
    except (aiosmtplib.SMTPException, OSError) as exc:
        if (reason := _tls_failure(exc)) is not None:
            raise _untrusted(relay, reason) from exc
        if isinstance(exc, aiosmtplib.SMTPResponseException) and exc.code >= 500:
            raise _untrusted(relay, _words(exc)) from exc
        # Lost, silent, or 454: nothing that a person must mend.
        raise _unreachable(relay, exc) from exc


async def _log_in(smtp: aiosmtplib.SMTP, relay: RelaySettings) -> None:
    assert relay.username is not None
    try:
        if relay.auth == "xoauth2":
            await smtp.auth_xoauth2(relay.username, await access_token(relay))
        else:
            password = relay.password.get_secret_value() if relay.password else ""
            await smtp.login(relay.username, password)
    except aiosmtplib.SMTPAuthenticationError as exc:
        # 454: the relay can't look into its list of users now (RFC 4954 6).
        if exc.code < 500:
            raise _unreachable(relay, exc) from exc
        secret = "token" if relay.auth == "xoauth2" else "password"
        raise RelayLoginRefused(
            f"{_place(relay)} refuses the login of {relay.username}: {_words(exc)}; "
            f"check username and {secret} of [relay] in pressrun.toml"
        ) from exc
    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as exc:
        raise _unreachable(relay, exc) from exc
    except (aiosmtplib.SMTPException, ValueError) as exc:
        raise RelayLoginRefused(
            f"{_place(relay)} offers no login we know: {_words(exc)}; "
            "remove username from [relay] in pressrun.toml, or check tls"
        ) from exc


def _wants_starttls(relay: RelaySettings) -> bool:
    """`auto` asks for TLS everywhere but on loopback, where no one else listens."""
    return relay.tls == "starttls" or (relay.tls == "auto" and not is_loopback(relay.host))


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine, without asking DNS."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=8)
def _tls_context(verify: bool, ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise SettingsInvalid(f"relay.ca_file: {ca_file} can't be used: {exc}") from exc
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls_failure(exc: BaseException) -> str | None:
    """Return what TLS found wrong, if that is at the bottom of an exception."""
    below: BaseException | None = exc
    while below is not None:
        if isinstance(below, ssl.SSLCertVerificationError):
            return f"its certificate can't be trusted ({below.verify_message.rstrip('.')})"
        # An end in the middle of the handshake is a lost connection like others.
        if isinstance(below, ssl.SSLError) and not isinstance(below, ssl.SSLEOFError):
            return (
                f"no TLS there ({(below.reason or 'handshake failed').replace('_', ' ').lower()})"
            )
        below = below.__cause__
    return None


def _untrusted(relay: RelaySettings, reason: str) -> RelayWithoutTls:
    return RelayWithoutTls(
        f"{_place(relay)}: TLS failed: {reason}; check host, port and tls of [relay], "
        "or name the certificate's issuer in ca_file"
    )


def _unreachable(relay: RelaySettings, exc: BaseException) -> RelayUnreachable:
    return RelayUnreachable(
        f"{_place(relay)} can't be used: {_words(exc)}; "
        "check host, port and tls of [relay] in pressrun.toml"
    )


def _words(exc: BaseException) -> str:
    """Return what happened in one line: the reply, or the system's words."""
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        said = f"it said {exc.code} {exc.message}" if exc.code > 0 else str(exc.message)
    else:
        said = getattr(exc, "message", "") or str(exc) or type(exc).__name__
    readable = "".join(char if char.isprintable() else " " for char in said)
    return " ".join(readable.split())[:300].rstrip(".")


def _place(relay: RelaySettings) -> str:
    return f"{relay.host}:{relay.port}"
