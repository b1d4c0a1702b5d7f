"""A file of rows into cells: encoding, delimiter, records; no row can spoil the next.

Python's csv would read on to the end of the file after a quote that nobody closes. Here a
record has a bounded number of lines; where that is not enough its first line alone is bad.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from subscribers.attribute.model import Kind
from subscribers.errors import ImportRefused
from subscribers.transfer.model import Cells

MAX_CHARACTERS = 65_536
MAX_LINES = 50
#: No cell of such a line can be too long for anything.
MAX_PLAIN = 200

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"
# What stands for bytes that are not of the encoding.
UNDECODED = "\ufffd"
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
# A word between quotes may hold a delimiter.
_QUOTED = re.compile(r'"[^"]*"')


class Rows(Protocol):
    """Rows of cells, whatever they are made from; the first names the columns."""

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What columns hold, by name, where that is known."""

    @property
    def guarded(self) -> bool:
        """Whether an apostrophe may stand before what a spreadsheet would run."""

    def records(self) -> Generator[Cells, None, None]:
        """All rows from the first, as often as one likes."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """How a CSV file is to be read; `records()` streams."""

    file: BinaryIO
    encoding: str
    delimiter: str
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    guarded: bool = True

    def records(self) -> Generator[Cells, None, None]:
        """All rows from the first, with their line numbers; blank lines are skipped."""
        self.file.seek(0)
        text = io.TextIOWrapper(self.file, encoding=self.encoding, errors="replace")
        try:
            yield from _records(Lines(text), self.delimiter)
        finally:
            # The file is the caller's to close.
            text.detach()


def open_sheet(file: BinaryIO) -> Sheet:
    """Find out a seekable file's encoding and delimiter; raises ImportRefused where empty."""
    encoding = _encoding(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace")
    try:
        lines = (text.readline(MAX_CHARACTERS).strip("\r\n\ufeff") for _ in range(MAX_LINES))
        head = next((line for line in lines if line.strip()), "")
    finally:
        text.detach()
    if not head:
        raise ImportRefused("is empty; its first line should name the columns: email,name")
    return Sheet(file=file, encoding=encoding, delimiter=_delimiter(head))


def _encoding(file: BinaryIO) -> str:
    """UTF-8 unless the bytes say otherwise; looks at all of them, a block at a time."""
    file.seek(0)
    start = file.read(4)
    for bom, encoding in _BOMS.items():
        if start.startswith(bom):
            return encoding
    if len(start) == 4 and start[1] == start[3] == 0 and start[0] and start[2]:
        return "utf-16-le"
    if len(start) == 4 and start[0] == start[2] == 0 and start[1] and start[3]:
        return "utf-16-be"
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    good = bad = 0
    while block := file.read(_BLOCK):
        if block.isascii():
            continue
        text = decoder.decode(block)
        bad += text.count(UNDECODED)
        good += len(_BEYOND_ASCII.findall(text)) - text.count(UNDECODED)
    # A few bad bytes in a file of UTF-8 spoil their rows, not the names of all the others.
    return "utf-8" if bad == 0 or good > bad else "cp1252"


def _delimiter(head: str) -> str:
    if head.lower().startswith("sep=") and len(head) == len("sep=") + 1:
        return head[-1]
    bare = _QUOTED.sub("", head)
    return max(_DELIMITERS, key=bare.count)


class Lines:
    """Physical lines with a bound, and one line of looking back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._pending: list[str] = []
        self.number = 0

    def next(self) -> str | None:
        """The next line with its end, cut at the bound; None at the end of the file."""
        if self._pending:
            self.number += 1
            return self._pending.pop()
        line = self._text.readline(MAX_CHARACTERS + 1)
        if not line:
            return None
        self.number += 1
        if len(line) > MAX_CHARACTERS and not line.endswith("\n"):
            self._skip_rest()
        return line

    def back(self, lines: list[str]) -> None:
        """Give lines back, to be read again."""
        self._pending.extend(reversed(lines))
        self.number -= len(lines)

    def _skip_rest(self) -> None:
        while rest := self._text.readline(MAX_CHARACTERS):
            if rest.endswith("\n"):
                return


def _records(lines: Lines, delimiter: str) -> Iterator[Cells]:
    width = 0
    while (line := lines.next()) is not None:
        number = lines.number
        if number == 1:
            line = line.removeprefix("\ufeff")
            if line.lower().startswith("sep="):
                continue
        if not line.strip():
            continue
        if width and '"' not in line and line.isascii() and len(line) <= MAX_CHARACTERS:
            text = line.rstrip("\r\n")
            yield Cells(number, tuple(text.split(delimiter)), None, _is_plain(text, delimiter))
            continue
        record = _record(lines, line, number, delimiter, width)
        width = width or len(record.cells)
        yield record


def _is_plain(text: str, delimiter: str) -> bool:
    """Whether an ASCII line holds nothing that would need cleaning, nor blanks around a cell."""
    return (
        len(text) <= MAX_PLAIN
        and text.isprintable()
        and "'" not in text
        and f" {delimiter}" not in text
        and f"{delimiter} " not in text
        and text == text.strip()
    )


def _record(lines: Lines, line: str, number: int, delimiter: str, width: int) -> Cells:
    """The record that begins with this line; takes the lines it goes on in, or none of them."""
    if len(line) > MAX_CHARACTERS:
        problem = f"is longer than {MAX_CHARACTERS:,} characters; is a line end missing?"
        return Cells(line=number, cells=(line[:200],), problem=problem)
    more: list[str] = []
    problem = "opens a quote that is never closed; close it or remove it"
    while True:
        try:
            cells = _split("".join((line, *more)), delimiter)
        except csv.Error as exc:
            if "unexpected end" not in str(exc):
                # With more lines the quote was closed by the next row's: not its own.
                problem = problem if more else 'has a quote within a cell; write it twice ("")'
                break
        else:
            if more and width and len(cells) != width:
                break
            return _decoded(number, cells)
        if len(more) >= MAX_LINES or sum(map(len, (line, *more))) > MAX_CHARACTERS:
            break
        following = lines.next()
        if following is None:
            break
        more.append(following)
    lines.back(more)
    return Cells(line=number, cells=(line.rstrip("\r\n"),), problem=problem)


def _split(text: str, delimiter: str) -> tuple[str, ...]:
    if '"' not in text:
        return tuple(text.rstrip("\r\n").split(delimiter))
    # The text goes in as one line: what is within quotes may hold line ends.
    rows = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
    return tuple(next(rows, ()))


def _decoded(number: int, cells: tuple[str, ...]) -> Cells:
    if any(UNDECODED in cell for cell in cells):
        problem = "is not in the file's encoding; save the whole file as UTF-8"
        return Cells(line=number, cells=cells, problem=problem)
    return Cells(line=number, cells=cells)
