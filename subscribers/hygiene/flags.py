"""What is odd about an address that is well formed: pure, nothing is asked of any network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from subscribers.address import Address


class Oddity(StrEnum):
    """Why an address deserves a second look."""

    #: Stands for an office, not for a person: whoever reads it did not ask.
    ROLE = "role"
    #: Of a service that gives addresses away for minutes.
    DISPOSABLE = "disposable"
    #: One slip away from a mailbox provider's domain.
    MISSPELT = "misspelt"


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One oddity of an address; `suggestion`: what it may have been meant to be."""

    oddity: Oddity
    suggestion: str | None = None


_ROLES = frozenset(
    {
        *("abuse", "accounting", "accounts", "admin", "administrator", "billing", "contact"),
        *("enquiries", "finance", "help", "helpdesk", "hello", "hostmaster", "hr", "info"),
        *("information", "inquiries", "jobs", "legal", "mail", "mailer-daemon", "marketing"),
        *("media", "news", "newsletter", "no-reply", "noc", "noreply", "office", "orders"),
        *("postmaster", "press", "privacy", "root", "sales", "security", "service", "spam"),
        *("support", "sysadmin", "team", "webmaster", "kontakt", "contacto", "contato"),
    }
)
#: Where most people have their mail: a domain one slip away is hardly ever another one.
_PROVIDERS = (
    *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com"),
    *("protonmail.com", "proton.me", "hotmail.co.uk", "yahoo.co.uk", "yahoo.co.jp", "hotmail.fr"),
    *("yahoo.fr", "orange.fr", "wanadoo.fr", "hotmail.de", "t-online.de", "yandex.ru", "naver.com"),
    *("comcast.net", "verizon.net", "fastmail.com"),
)
#: Real domains that look like slips.
_REAL = frozenset(
    {
        *("mail.com", "ymail.com", "email.com", "hotmail.it", "hotmail.es", "hotmail.be"),
        *("yahoo.de", "yahoo.es", "yahoo.it", "yahoo.ca", "yahoo.in", "yandex.com", "yandex.by"),
        *("outlook.fr", "outlook.de", "outlook.es", "outlook.it", "outlook.jp", "yandex.ua"),
        *("proton.ch", "fastmail.fm", "hotmail.nl", "hotmail.se", "hotmail.no", "hotmail.dk"),
    }
)


def flags(address: Address) -> Iterator[Flag]:
    """All that is odd about an address."""
    local = address.key.rpartition("@")[0].partition("+")[0]
    if local in _ROLES:
        yield Flag(oddity=Oddity.ROLE)
    if _is_disposable(address.domain):
        yield Flag(oddity=Oddity.DISPOSABLE)
    meant = _meant(address.domain)
    if meant is not None:
        local_as_given = address.as_given.rpartition("@")[0]
        yield Flag(oddity=Oddity.MISSPELT, suggestion=f"{local_as_given}@{meant}")


def _is_disposable(domain: str) -> bool:
    """Whether the domain, or one above it, gives addresses away."""
    labels = domain.split(".")
    listed = _disposable()
    return any(".".join(labels[start:]) in listed for start in range(len(labels) - 1))


@cache
def _disposable() -> frozenset[str]:
    # Some thousand names: loaded when first asked for.
    from disposable_email_domains import blocklist

    return frozenset(blocklist)


@cache
def _slips() -> dict[str, str]:
    """Every text one slip away from a provider's domain, and the domain."""
    return {slip: domain for domain in reversed(_PROVIDERS) for slip in _slips_of(domain)}


def _meant(domain: str) -> str | None:
    if domain in _PROVIDERS or domain in _REAL:
        return None
    return _slips().get(domain)


def _slips_of(word: str) -> Iterator[str]:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-."
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        yield from (head + letter + tail for letter in letters)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
