"""One row's cells into an Entry, or the reason why not: pure."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from zoneinfo import available_timezones

from subscribers.address import parse
from subscribers.attribute.model import Kind, read_list, read_value
from subscribers.errors import AddressInvalid, AttributeInvalid
from subscribers.model import Status
from subscribers.transfer.header import Columns
from subscribers.transfer.history import moment, with_history
from subscribers.transfer.model import Cells, Entry, RowRefused
from subscribers.transfer.profile.model import IGNORED
from subscribers.transfer.spreadsheet import unguard
from subscribers.transfer.standing import SAYS_NOTHING, Standing, folded

MAX_CELL = 1000
MAX_NAME = 200

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*\Z")
_BLANKS = re.compile(r"\s+")
# Overrides, embeddings and isolates: they make a name read as what it is not.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def read_row(row: Cells, columns: Columns) -> Entry:
    """Make an Entry of a row; raises RowRefused, with the column where there is one."""
    if row.problem:
        raise RowRefused(row.problem)
    told = _told(row, columns)
    try:
        address = parse(told.get("email", ""))
    except AddressInvalid as exc:
        raise RowRefused(str(exc)) from exc
    standing = _standing(text, columns) if (text := told.get("status")) else SAYS_NOTHING
    entry = Entry(
        line=row.line,
        address=address,
        name=_name(told),
        # Most files say little: nothing is called for an empty cell.
        language=read_language(text) if (text := told.get("language")) else None,
        timezone=read_timezone(text) if (text := told.get("timezone")) else None,
        tags=tuple(read_list(text)) if (text := told.get("tags")) else (),
        attributes=_attributes(told, columns) if columns.attributes else {},
        status=standing.status or columns.implied,
        suppressed=standing.suppressed,
        joined_at=moment(text) if (text := told.get("joined_at")) else None,
    )
    return with_history(entry, told, columns) if columns.has_history else entry


def _told(row: Cells, columns: Columns) -> dict[str, str]:
    """The row's cells by meaning, cleared of blanks and of what does not belong in text."""
    expected, there = len(columns.meanings), len(row.cells)
    if there != expected:
        remedy = "put quotes around a cell with a comma in it" if there > expected else "add cells"
        raise RowRefused(f"has {there} cells where the header has {expected}; {remedy}")
    if columns.named and _is_plain("".join(row.cells)):
        return dict(zip(columns.meanings, map(str.strip, row.cells), strict=True))
    told: dict[str, str] = {}
    for at, (meaning, cell) in enumerate(zip(columns.meanings, row.cells, strict=True), start=1):
        if meaning == IGNORED:
            continue
        text = unguard(cell) if columns.guarded else cell
        if meaning not in ("email", "consents"):
            text = clean(text, f"column {at} ({meaning})")
        text = text.strip()
        if text and not meaning:
            raise RowRefused(f"has a value in column {at}, which has no name; name the column")
        if not told.get(meaning):
            told[meaning] = text
    return told


def _attributes(told: dict[str, str], columns: Columns) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in columns.attributes.values():
        text = told[name]
        if text:
            kind = columns.kinds.get(name, Kind.TEXT)
            try:
                value = text if kind is Kind.TEXT else read_value(kind, text)
            except AttributeInvalid as exc:
                raise RowRefused(f"has a {name} that does not fit: {exc}") from exc
            # A list of nothing but blanks says as little as an empty cell.
            if value != []:
                found[name] = value
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


def _standing(text: str, columns: Columns) -> Standing:
    standing = columns.standings.get(folded(text))
    if standing is None:
        known = ", ".join(Status)
        raise RowRefused(f"has a status {text!r:.40}; write one of {known}, or nothing")
    return standing
