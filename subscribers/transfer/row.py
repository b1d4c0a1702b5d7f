"""One row's cells into an Entry, or the reason why not: pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

from subscribers.address import parse
from subscribers.attribute.model import Kind, read_value
from subscribers.errors import AddressInvalid, AttributeInvalid, UsersMistake
from subscribers.model import Status
from subscribers.transfer.header import Columns
from subscribers.transfer.model import Cells, Entry
from subscribers.transfer.spreadsheet import unguard

MAX_CELL = 1000
MAX_NAME = 200

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*\Z")
_BLANKS = re.compile(r"\s+")
_TAG_ENDS = re.compile(r"[,;|]")
# Overrides, embeddings and isolates: they make a name read as what it is not.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_STATUS = {
    Status.ACTIVE: "active subscribed confirmed enabled",
    Status.PENDING: "pending unconfirmed",
    Status.UNSUBSCRIBED: "unsubscribed inactive removed optout",
    Status.BOUNCED: "bounced cleaned undeliverable",
    Status.COMPLAINED: "complained complaint spam abuse",
}
_STATUS_WORDS = {word: status for status, words in _STATUS.items() for word in words.split()}


class RowRefused(UsersMistake):
    """Why a row can't be taken; its words are for the person who has the file."""


def read_row(row: Cells, columns: Columns) -> Entry:
    """Make an Entry of a row; raises RowRefused, with the column where there is one."""
    if row.problem:
        raise RowRefused(row.problem)
    told = _told(row, columns)
    try:
        address = parse(told.get("email", ""))
    except AddressInvalid as exc:
        raise RowRefused(str(exc)) from exc
    return Entry(
        line=row.line,
        address=address,
        name=_name(told),
        # Most files say little: nothing is called for an empty cell.
        language=read_language(text) if (text := told.get("language")) else None,
        timezone=read_timezone(text) if (text := told.get("timezone")) else None,
        tags=_tags(text) if (text := told.get("tags")) else (),
        attributes=_attributes(told, columns) if columns.attributes else {},
        status=_status(text) if (text := told.get("status")) else None,
        joined_at=_moment(text) if (text := told.get("joined_at")) else None,
    )


def _told(row: Cells, columns: Columns) -> dict[str, str]:
    """The row's cells by meaning, cleared of blanks and of what does not belong in text."""
    expected, there = len(columns.meanings), len(row.cells)
    if there != expected:
        remedy = "put quotes around a cell with a comma in it" if there > expected else "add cells"
        raise RowRefused(f"has {there} cells where the header has {expected}; {remedy}")
    told: dict[str, str] = {}
    if columns.named and _is_plain("".join(row.cells)):
        return dict(zip(columns.meanings, map(str.strip, row.cells), strict=True))
    for at, (meaning, cell) in enumerate(zip(columns.meanings, row.cells, strict=True), start=1):
        text = (
            unguard(cell)
            if meaning == "email"
            else clean(unguard(cell), f"column {at} ({meaning})")
        )
        if text.strip() and not meaning:
            raise RowRefused(f"has a value in column {at}, which has no name; name the column")
        told[meaning] = text.strip()
    return told


def _attributes(told: dict[str, str], columns: Columns) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in columns.attributes.values():
        text = told[name]
        if text:
            kind = columns.kinds.get(name, Kind.TEXT)
            try:
                found[name] = text if kind is Kind.TEXT else read_value(kind, text)
            except AttributeInvalid as exc:
                raise RowRefused(f"has a {name} that does not fit: {exc}") from exc
    return found


def _is_plain(text: str) -> bool:
    """Whether a whole row holds nothing that would need cleaning."""
    return len(text) <= MAX_NAME and text.isascii() and text.isprintable() and "'" not in text


def clean(text: str, where: str) -> str:
    """Make a text one line in NFC; raises RowRefused for what is invisible or too long."""
    if text.isascii() and text.isprintable() and len(text) <= MAX_NAME:
        return text
    line = _BLANKS.sub(" ", text)
    if len(line) > MAX_CELL:
        raise RowRefused(f"has more than {MAX_CELL:,} characters in {where}; shorten it")
    for character in line:
        if character in _BIDI or unicodedata.category(character) in ("Cc", "Cs"):
            named = f"U+{ord(character):04X}"
            raise RowRefused(f"has an invisible character {named} in {where}; remove it")
    return unicodedata.normalize("NFC", line)


def _name(told: dict[str, str]) -> str:
    name = told.get("name", "")
    if not name:
        parts = (told.get("first_name"), told.get("last_name"))
        name = " ".join(part for part in parts if part)
    if len(name) > MAX_NAME:
        raise RowRefused(f"has a name of more than {MAX_NAME} characters; shorten it")
    return name


def read_language(text: str) -> str | None:
    """A language's code (BCP 47), None for an empty text; raises RowRefused."""
    if text and (not _LANGUAGE.match(text) or len(text) > 35):
        raise RowRefused(f"has a language {text!r:.40}; write a code such as en or pt-BR")
    return text.replace("_", "-") or None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def read_timezone(text: str) -> str | None:
    """A time zone's name, None for an empty text; raises RowRefused."""
    if text and text not in _zones():
        raise RowRefused(f"has a time zone {text!r:.40}; write one such as Europe/Berlin")
    return text or None


def _tags(text: str) -> tuple[str, ...]:
    tags = (tag.strip() for tag in _TAG_ENDS.split(text))
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _status(text: str) -> Status | None:
    word = re.sub(r"[^a-z]", "", text.casefold())
    if text and word not in _STATUS_WORDS:
        known = ", ".join(Status)
        raise RowRefused(f"has a status {text!r:.40}; write one of {known}, or nothing")
    return _STATUS_WORDS.get(word)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise RowRefused(f"has a date {text!r:.40}; write it like 2026-01-31") from exc
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
