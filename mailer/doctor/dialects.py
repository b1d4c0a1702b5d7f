"""Whether what is set here goes together with what each relay does to mail."""

from __future__ import annotations

from collections.abc import Iterator

from mailer.delivery.dialects import DIALECTS, Dialect, Signs, dialect_of, dress_of
from mailer.delivery.dialects.guess import service_of
from mailer.delivery.dialects.tell import tell
from mailer.doctor.model import Finding, error, ok, warning
from mailer.errors import SettingsInvalid
from mailer.settings import RelaySettings, Settings
from mailer.webhooks.providers import PROVIDERS


def dialects(settings: Settings) -> Iterator[Finding]:
    """What each relay's dialect is, and what in these settings it spoils."""
    for name, relay in settings.every_relay.items():
        what = f"dialect of relay {name}"
        known = dialect_of(relay)
        try:
            dress_of(known.dialect, relay.headers, stream=relay.stream)
        except SettingsInvalid as exc:
            yield error(what, str(exc), "no mail is sent with it")
            continue
        spoilt = [*_spoilt(what, settings, relay, known.dialect)]
        yield from spoilt or [ok(what, tell(known, relay.stream))]


def _spoilt(
    what: str, settings: Settings, relay: RelaySettings, dialect: Dialect
) -> Iterator[Finding]:
    service = service_of(relay.host)
    if service is not None and service is not dialect:
        yield warning(
            what,
            f"{dialect.name}, though {relay.host} is {service.title}'s",
            f'dialect = "{service.name}", or none: it is guessed',
        )
    if settings.dkim is not None and dialect.signs is Signs.RELAY:
        yield warning(
            what,
            f"{dialect.title} breaks our signatures: [dkim] is not used there",
            f"let {dialect.title} sign for {settings.dkim.domain}, which its own DNS records do",
        )
    if dialect.webhook is not None and not PROVIDERS[dialect.webhook].is_open(settings):
        yield warning(
            what,
            f"{dialect.title} has a Return-Path of its own, and its webhook is closed:"
            " bounces and complaints are not heard of",
            f"open {PROVIDERS[dialect.webhook].path}: `mailer webhooks list` says how",
        )
    if dialect is DIALECTS["postmark"] and not _has_stream(relay, dialect):
        yield warning(
            what,
            "no message stream: mail goes by the transactional one, where newsletters are not"
            " allowed",
            'stream = "broadcast", or what it is called there',
        )


def _has_stream(relay: RelaySettings, dialect: Dialect) -> bool:
    header = dialect.stream.header.lower() if dialect.stream else ""
    # A login by an SMTP token belongs to one stream, and this host to broadcasts.
    return bool(
        relay.stream
        or any(name.lower() == header for name in relay.headers)
        or relay.host.lower().startswith("smtp-broadcasts.")
    )
