"""One row's cells into an Entry, or the reason why not: pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
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

#: What has rules of its own, or is not kept.
_AS_THEY_ARE = frozenset({"email", "consents", IGNORED})

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*\Z")
_BLANKS = re.compile(r"\s+")
# Overrides, embeddings and isolates: they make a name read as what it is not.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def read_row(row: Cells, columns: Columns) -> Entry:
    """Make an Entry of a row; raises RowRefused, with the column where there is one."""
    cells = _cells(row, columns)
    try:
        address = parse(cells[columns.place] or _first(cells, columns, "email"))
    except AddressInvalid as exc:
        raise RowRefused(str(exc)) from exc
    name = _name(cells, columns)
    attributes = _attributes(cells, columns) if columns.attributes else _NONE
    if columns.is_simple:
        return Entry(row.line, address, name, attributes=attributes)
    told = _told(cells, columns)
    standing = _standing(text, columns) if (text := told.get("status")) else SAYS_NOTHING
    entry = Entry(
        line=row.line,
        address=address,
        name=name,
        # Most files say little: nothing is called for an empty cell.
        language=read_language(text) if (text := told.get("language")) else None,
        timezone=read_timezone(text) if (text := told.get("timezone")) else None,
        tags=tuple(read_list(text)) if (text := told.get("tags")) else (),
        attributes=attributes,
        status=standing.status or columns.implied,
        suppressed=standing.suppressed,
        joined_at=moment(text) if (text := told.get("joined_at")) else None,
    )
    return with_history(entry, told, columns) if columns.has_history else entry


_NONE: Mapping[str, object] = MappingProxyType({})


def _cells(row: Cells, columns: Columns) -> Sequence[str]:
    """The row's cells, cleared of blanks and of what does not belong in text."""
    if row.problem:
        raise RowRefused(row.problem)
    there = len(row.cells)
    if there != columns.width:
        remedy = (
            "put quotes around a cell with a comma in it" if there > columns.width else "add cells"
        )
        raise RowRefused(f"has {there} cells where the header has {columns.width}; {remedy}")
    if row.is_plain and columns.is_named:
        return row.cells
    cells = []
    for at, (meaning, cell) in enumerate(zip(columns.meanings, row.cells, strict=True), start=1):
        text = unguard(cell) if columns.guarded else cell
        if meaning not in _AS_THEY_ARE:
            text = clean(text, f"column {at} ({meaning})")
        text = text.strip()
        if text and not meaning:
            raise RowRefused(f"has a value in column {at}, which has no name; name the column")
        cells.append(text)
    return cells


def _first(cells: Sequence[str], columns: Columns, wanted: str) -> str:
    """What the first filled of several columns of one meaning says."""
    told = (
        cell for cell, meaning in zip(cells, columns.meanings, strict=True) if meaning == wanted
    )
    return next((cell for cell in told if cell), "")


def _told(cells: Sequence[str], columns: Columns) -> dict[str, str]:
    told: dict[str, str] = {}
    for cell, meaning in zip(cells, columns.meanings, strict=True):
        if cell:
            told.setdefault(meaning, cell)
    return told


def _attributes(cells: Sequence[str], columns: Columns) -> dict[str, object]:
    found: dict[str, object] = {}
    for at, name, kind in columns.typed_attributes:
        text = cells[at]
        if text and name not in found:
            try:
                value = text if kind is Kind.TEXT else read_value(kind, text)
            except AttributeInvalid as exc:
                raise RowRefused(f"has a {name} that does not fit: {exc}") from exc
            # A list of nothing but blanks says as little as an empty cell.
            if value != []:
                found[name] = value
    return found


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


def _name(cells: Sequence[str], columns: Columns) -> str:
    name = ""
    for places in columns.names:
        name = name or " ".join([cells[at] for at in places if cells[at]])
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
