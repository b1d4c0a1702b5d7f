"""JSON as rows: a file of JSON lines, or a column of a CSV that holds objects of attributes.

Both are read twice: what columns there are is known only at the end.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO

from subscribers.attribute.model import Kind
from subscribers.errors import ImportRefused
from subscribers.transfer.flat import NotFlat, Shape, cell_of, read_object
from subscribers.transfer.model import Cells
from subscribers.transfer.sheet import MAX_CHARACTERS, UNDECODED, Lines, Rows

_BAD = "is no JSON object; write one object on each line"


@dataclass(frozen=True, kw_only=True)
class JsonLines:
    """A file with one JSON object a line; `records()` gives the columns' names first."""

    file: BinaryIO
    names: tuple[str, ...]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    guarded: bool = False

    def records(self) -> Generator[Cells, None, None]:
        """All rows, with their line numbers; blank lines are skipped."""
        yield Cells(line=1, cells=self.names)
        for line, text in _lines(self.file):
            try:
                flat = _object(text)
            except NotFlat as exc:
                yield Cells(line=line, cells=(text[:200].rstrip("\r\n"),), problem=str(exc) or _BAD)
                continue
            yield Cells(line=line, cells=tuple(cell_of(flat.get(name)) for name in self.names))


def open_lines(file: BinaryIO) -> JsonLines:
    """Find out what columns a file of JSON lines has; raises ImportRefused where it has none."""
    shape = Shape()
    for _, text in _lines(file):
        try:
            shape.add(_object(text))
        except NotFlat:
            continue
    if not shape.names:
        raise ImportRefused("1: is no JSON lines; write one object on each line")
    return JsonLines(file=file, names=shape.names, kinds=shape.kinds)


def _object(text: str) -> dict[str, object]:
    if len(text) > MAX_CHARACTERS:
        raise NotFlat(f"is longer than {MAX_CHARACTERS:,} characters; is a line end missing?")
    if UNDECODED in text:
        raise NotFlat("is not in UTF-8; save the whole file as UTF-8")
    return read_object(text)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")
    try:
        lines = Lines(text)
        while (line := lines.next()) is not None:
            if line.strip():
                yield lines.number, line
    finally:
        text.detach()


@dataclass(frozen=True, kw_only=True)
class Expanded:
    """A sheet in which some columns are objects; each of their fields is a column instead."""

    rows: Rows
    places: Sequence[int]
    header: Sequence[str]
    fields: Mapping[int, tuple[str, ...]]
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @property
    def guarded(self) -> bool:
        """As the sheet is."""
        return self.rows.guarded

    def records(self) -> Generator[Cells, None, None]:
        """All rows, those columns expanded."""
        with closing(self.rows.records()) as records:
            first = next(records)
            yield Cells(line=first.line, cells=self._spread(self.header, self.fields))
            for row in records:
                yield self._row(row)

    def _row(self, row: Cells) -> Cells:
        if row.problem:
            return row
        expected, there = len(self.header), len(row.cells)
        if there != expected:
            problem = f"has {there} cells where the header has {expected}; put quotes around JSON"
            return Cells(line=row.line, cells=row.cells, problem=problem)
        filled: dict[int, tuple[str, ...]] = {}
        for place in self.places:
            try:
                flat = read_object(row.cells[place]) if row.cells[place].strip() else {}
            except NotFlat:
                problem = f"has no JSON object in column {place + 1} ({self.header[place]})"
                return Cells(line=row.line, cells=row.cells, problem=f"{problem}; mend or empty it")
            owner = self.header[place]
            filled[place] = tuple(
                cell_of(flat.get(name.removeprefix(f"{owner}."))) for name in self.fields[place]
            )
        return Cells(line=row.line, cells=self._spread(row.cells, filled))

    def _spread(
        self, cells: Sequence[str], filled: Mapping[int, tuple[str, ...]]
    ) -> tuple[str, ...]:
        spread: list[str] = []
        for at, cell in enumerate(cells):
            spread.extend(filled.get(at, (cell,)))
        return tuple(spread)


def expand(rows: Rows, header: Sequence[str], places: Sequence[int]) -> Expanded:
    """Make columns of all the fields that the objects in some columns have."""
    shapes = {place: Shape() for place in places}
    with closing(rows.records()) as records:
        next(records)
        for row in records:
            if row.problem or len(row.cells) != len(header):
                continue
            for place, shape in shapes.items():
                try:
                    shape.add(read_object(row.cells[place]))
                except NotFlat:
                    continue
    fields = {
        place: tuple(f"{header[place]}.{name}" for name in shape.names)
        for place, shape in shapes.items()
    }
    kinds = {
        f"{header[place]}.{name}": kind
        for place, shape in shapes.items()
        for name, kind in shape.kinds.items()
    }
    return Expanded(rows=rows, places=places, header=header, fields=fields, kinds=kinds)
