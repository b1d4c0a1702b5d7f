"""What `mailer init` needs to know, and how each answer is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from mailer.campaign import times
from mailer.errors import TimeInvalid
from subscribers import address
from subscribers.errors import UsersMistake

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class AnswerInvalid(UsersMistake):
    """This can't be used here."""


@dataclass(frozen=True, kw_only=True)
class NewsletterAnswers:
    """The newsletter's row to be."""

    name: str
    slug: str
    from_name: str
    from_address: str
    postal_address: str
    language: str
    timezone: str


@dataclass(frozen=True, kw_only=True)
class RelayAnswers:
    """The relay; `password` is new and goes into a file, `password_file` is one that is there."""

    host: str
    port: int
    tls: str
    username: str | None = None
    password: str | None = None
    password_file: str | None = None


def read_sender(text: str) -> tuple[str, str]:
    """`Name <address>` or an address alone, as name (perhaps empty) and address."""
    name, mailbox = parseaddr(text)
    return name, address.parse(mailbox or text).as_given


def read_text(text: str) -> str:
    """One line that is not empty."""
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise AnswerInvalid("write one line of text")
    return line


def read_url(text: str) -> str:
    """The http or https address of this installation."""
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query
        usable = usable and parts.port != 0  # reading a port over 65535 raises
    except ValueError:
        usable = False
    if not usable:
        raise AnswerInvalid(f"{text!r} is no address; write it like https://news.example.com")
    return text.strip().rstrip("/")


def read_slug(text: str) -> str:
    """A short name for commands and headers."""
    if not _SLUG.fullmatch(text) or len(text) > 60:
        raise AnswerInvalid(f"{text!r} is no short name; write it like my-newsletter")
    return text


def slug_of(name: str) -> str:
    """A short name made from a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "newsletter"


def read_language(text: str) -> str:
    """A language tag."""
    if not _LANGUAGE.fullmatch(text):
        raise AnswerInvalid(f"{text!r} is no language; write a code such as en or pt-BR")
    return text


def read_timezone(text: str) -> str:
    """An IANA name; raises TimeInvalid."""
    times.zone(text)
    return text


def machines_timezone(link: Path = Path("/etc/localtime")) -> str:
    """The zone of this machine's clock, as its link names it; UTC where it names none."""
    name = str(link.resolve()).partition("zoneinfo/")[2]
    try:
        times.zone(name)
    except TimeInvalid:
        return "UTC"
    return "UTC" if name == "Etc/UTC" else name


def read_port(text: str) -> str:
    """A port number, as text."""
    if not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise AnswerInvalid(f"{text!r} is no port; 587 is the usual one, 465 with implicit TLS")
    return text
