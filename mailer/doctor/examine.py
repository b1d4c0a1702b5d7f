"""The whole look at an installation, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailer import migrations
from mailer.doctor import machine
from mailer.doctor.dialects import dialects
from mailer.doctor.domains import Domains, own_addresses
from mailer.doctor.model import Finding, error, ok
from mailer.doctor.reports import reports
from mailer.doctor.site import site
from mailer.doctor.spf import Address
from mailer.errors import KeysMissing, SettingsInvalid
from mailer.lookup import Dns
from mailer.settings import Settings
from subscribers import address as addresses_of
from subscribers import queries as people
from subscribers.database import Database
from subscribers.errors import KeyringInvalid, PressrunError
from subscribers.token import Keyring


def examine(
    settings: Settings,
    database: Database,
    read_keys: str | KeysMissing,
    *,
    name_server: tuple[str, int] | None = None,
    addresses: Sequence[Address] = (),
) -> Iterator[Finding]:
    """Look at everything; findings come as they are made.

    `read_keys` is the keyring's text, or why there is none. `name_server` is asked instead of
    the system's; `addresses` are those that mail leaves from, where somebody knows them.
    """
    dns = Dns(name_server, remember=True)
    if name_server is None:
        dns.expect_the_world()
    yield from machine.database(database)
    keyring = None
    try:
        keyring = _keyring(read_keys)
    except (KeysMissing, KeyringInvalid) as exc:
        yield error("keys", str(exc), "without them no link in mail already sent works")
    else:
        yield ok("keys", "those that links and suppressions depend on; back them up")
        if settings.keys is None:
            yield from machine.private("keys", settings.keys_file)
    yield machine.broker(settings.broker_url)
    yield from machine.relays(settings)
    yield from dialects(settings)
    yield from site(settings, keyring, dns if name_server else None)
    yield from reports(settings)
    looks = Domains(
        settings=settings,
        dns=dns,
        senders=_senders(database),
        addresses=addresses or own_addresses(settings, dns),
    )
    try:
        yield from looks.look()
    except SettingsInvalid as exc:
        yield error("DKIM", str(exc), "no mail is sent with it")


def _keyring(text: str | KeysMissing) -> Keyring:
    if isinstance(text, KeysMissing):
        raise text
    return Keyring.parse(text)


def _senders(database: Database) -> list[str]:
    """The From domains of all newsletters; none where the database can't tell."""
    try:
        # Asking where there is no file would make one.
        migrations.check(database)
        with database.read() as session:
            told = [one.from_address for one in people.newsletters(session)]
    except PressrunError:
        return []
    return [*dict.fromkeys(addresses_of.parse(each).domain for each in told)]
