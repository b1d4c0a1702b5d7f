"""The root of the error tree.

A docstring is the default message: it says what is wrong and how to mend it.
"""

from __future__ import annotations


class PressrunError(Exception):
    """Something went wrong that Pressrun has no better words for."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class UsersMistake(PressrunError):
    """The input can't be used as it is; correct it and try again."""


class AddressInvalid(UsersMistake):
    """This is no mail address."""


class SubscriberUnknown(UsersMistake):
    """No subscriber has this address; `mailer subscribers list` shows those there are."""


class NewsletterUnknown(UsersMistake):
    """No newsletter has this name; `mailer init` makes one."""


class NewsletterTaken(UsersMistake):
    """There is a newsletter of this name already; choose another."""


class Suppressed(UsersMistake):
    """This address must not be mailed; `mailer subscribers add --lift REASON` ends that."""


class AttributeUnknown(UsersMistake):
    """No attribute has this name; `mailer subscribers attributes list` shows those there are."""


class AttributeInvalid(UsersMistake):
    """This attribute can't have this name or value."""


class SegmentInvalid(UsersMistake):
    """This is no segment as the language of segments has it."""


class SegmentUnknown(UsersMistake):
    """No segment has this name; `mailer segment list` shows those there are."""


class ImportRefused(UsersMistake):
    """This file can't be imported as it is."""


class TokenInvalid(PressrunError):
    """This link or address was not made by this installation, or its key is retired."""


class KeyringInvalid(UsersMistake):
    """The keys can't be read; restore them from a backup."""


class DatabaseUnavailable(PressrunError):
    """The database can't be reached; check PRESSRUN_DATABASE_URL and that the server runs."""


class DatabaseFull(PressrunError):
    """The disk under the database is full; free some space, nothing was lost."""


class DatabaseBusy(PressrunError):
    """Another process held what this one needed; nothing was changed, try again."""


class SchemaTooNew(PressrunError):
    """The database was made by a newer Pressrun; upgrade this installation."""


class SchemaTooOld(PressrunError):
    """The database was made by an older Pressrun, or is empty; run `mailer db upgrade`."""
