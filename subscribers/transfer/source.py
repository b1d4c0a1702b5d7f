"""What a file holds: one table, or a zip with several; CSV or JSON lines."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from subscribers.errors import ImportRefused
from subscribers.transfer.objects import open_lines
from subscribers.transfer.sheet import Rows, open_sheet

_TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json")
#: What a table within a zip may unpack to; somebody with more has a file of its own.
_LARGEST = 8 << 30
_MOST_FILES = 10_000
#: What a zip holds that is an Excel or OpenDocument file.
_SPREADSHEET = frozenset({"[Content_Types].xml", "mimetype"})


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: its name within a zip, else the file's; `start` bytes of others come before it."""

    name: str
    file: BinaryIO
    start: int = 0

    def rows(self) -> Rows:
        """Its rows; raises ImportRefused where it is no table."""
        self.file.seek(0)
        head = self.file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
        if head.startswith(b"{"):
            return open_lines(self.file)
        if head.startswith(b"[{"):
            raise ImportRefused("1: is one JSON array; write one object a line: jq -c '.[]'")
        return open_sheet(self.file)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file with tables; `total`: bytes of all of them."""

    file: BinaryIO
    name: str
    total: int
    archive: zipfile.ZipFile | None = None

    @property
    def names(self) -> list[str]:
        """The tables' names, in the order they are read."""
        if self.archive is None:
            return [self.name]
        return [info.filename for info in _tables(self.archive)]

    def open(self, name: str) -> Table:
        """Open one table; raises ImportRefused where it can't be unpacked."""
        if self.archive is None:
            return Table(name=name, file=self.file)
        start = 0
        for info in _tables(self.archive):
            if info.filename == name:
                break
            start += info.file_size
        try:
            return Table(name=name, file=cast(BinaryIO, self.archive.open(name)), start=start)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as exc:
            raise ImportRefused(f"can't be unpacked ({exc}); unpack the zip yourself") from exc


@contextmanager
def open_source(file: BinaryIO, name: str) -> Iterator[Source]:
    """Look into a seekable file of this name; raises ImportRefused where it can't be used."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    head = file.read(4)
    if head != b"PK\x03\x04":
        yield Source(file=file, name=name, total=size)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            if not _SPREADSHEET.isdisjoint(archive.namelist()):
                raise ImportRefused("is a spreadsheet; export it as CSV, in the encoding UTF-8")
            tables = _tables(archive)
            if not tables:
                raise ImportRefused("holds no CSV and no JSON lines; is it the right zip?")
            if sum(info.file_size for info in tables) > _LARGEST:
                raise ImportRefused("unpacks to more than 8 GB; unpack it, import file by file")
            total = sum(info.file_size for info in tables)
            yield Source(file=file, name=name, total=total, archive=archive)
    except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
        raise ImportRefused(f"is a zip that can't be read ({exc}); download it again") from exc


def _tables(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MOST_FILES:
        raise ImportRefused(f"holds more than {_MOST_FILES:,} files; unpack it")
    return [
        info
        for info in infos
        if info.filename.lower().endswith(_TABLES)
        # What a Mac adds, and what is hidden.
        and not any(part.startswith((".", "__MACOSX")) for part in info.filename.split("/"))
    ]
