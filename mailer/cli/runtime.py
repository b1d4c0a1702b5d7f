"""What a command needs to do its work: settings, database, keys; made once, when first asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mailer import migrations
from mailer.cli import config
from mailer.errors import KeysMissing
from mailer.settings import Settings, load
from subscribers import queries as people
from subscribers.database import Database
from subscribers.errors import NewsletterUnknown
from subscribers.model import Newsletter
from subscribers.token import Keyring


@dataclass
class Runtime:
    """The settings of this call; the rest opens when it is used."""

    settings: Settings
    #: Whether this is one of the installation's processes: they work in short transactions, and
    #: one that stands still for a whole lease is taken for dead. (A command's output may wait for
    #: a reader as long as it likes.)
    serves: bool = False

    @cached_property
    def database(self) -> Database:
        """The database, seen to have this version's schema."""
        database = self.unchecked_database
        migrations.check(database)
        return database

    @cached_property
    def unchecked_database(self) -> Database:
        """The database as it is, for `db upgrade`."""
        lease = self.settings.sending.lease_seconds
        return Database(self.settings.database_url, idle_seconds=lease if self.serves else None)

    @cached_property
    def keyring(self) -> Keyring:
        """The installation's keys."""
        return Keyring.parse(read_keys(self.settings))

    def newsletter(self, slug: str | None) -> Newsletter:
        """The newsletter of this name, or the only one; raises NewsletterUnknown."""
        with self.database.read() as session:
            if slug is not None:
                return people.newsletter_by_slug(session, slug)
            every = people.newsletters(session)
        if len(every) == 1:
            return every[0]
        names = ", ".join(newsletter.slug for newsletter in every)
        raise NewsletterUnknown(f"which newsletter? name one of: {names}" if names else None)


def read_keys(settings: Settings) -> str:
    """The keyring's text; raises KeysMissing."""
    if settings.keys is not None:
        return settings.keys.get_secret_value()
    try:
        return settings.keys_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise KeysMissing(
            f"{settings.keys_file}: the keys can't be read ({exc}); `mailer init` makes them,"
            " or restore the file from a backup"
        ) from exc


def runtime(*, serves: bool = False) -> Runtime:
    """The runtime of this call; raises SettingsInvalid."""
    return Runtime(settings=load(config.chosen()), serves=serves)
