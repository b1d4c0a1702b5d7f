"""People from a CSV file into a newsletter: batches of some thousands, each one transaction.

Importing a file twice changes nothing the second time. Nobody is brought back: who left,
bounced, complained, was erased or is suppressed stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from subscribers.attribute.model import Definition, nearest
from subscribers.attribute.queries import declare, definitions
from subscribers.database import Database
from subscribers.errors import DatabaseBusy, ImportRefused
from subscribers.transfer.header import Columns, read_header
from subscribers.transfer.model import Cells, Entry, Import, Progress, Refused, Report
from subscribers.transfer.row import RowRefused, read_row
from subscribers.transfer.sheet import open_sheet
from subscribers.transfer.taking import take

BATCH = 2000
#: How often a batch is tried that other imports stand in the way of.
_TRIES = 10


class _DryRunOver(Exception):
    """Rolls back a batch that was only tried."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def import_csv(
    database: Database,
    file: BinaryIO,
    order: Import,
    *,
    refused: Callable[[Refused], None] = lambda _row: None,
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> Report:
    """Read a seekable binary file of CSV into a newsletter; memory stays flat at any size.

    Each refused row is told to `refused` as it comes. Raises ImportRefused (line:column and
    remedy) where the header can't be used; then nothing was changed. A dry run tries every
    batch and takes it back.
    """
    total = _size(file)
    report = Report()
    with closing(open_sheet(file).records()) as records:
        first = next(records, None)
        if first is None:
            raise ImportRefused("is empty; its first line should name the columns: email,name")
        columns, report = _understand(database, first, order)
        rows = chain([first], records) if columns.headless else records
        header = ("email",) if columns.headless else first.cells
        for batch in _batches(rows, columns, header, refused):
            report += _import_batch(database, batch, order)
            progress(Progress(done=file.tell(), total=total, report=report))
    progress(Progress(done=total, total=total, report=report))
    return report


def _size(file: BinaryIO) -> int:
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    return size


def _understand(database: Database, first: Cells, order: Import) -> tuple[Columns, Report]:
    """The columns with their attributes' kinds; declares what is new where that is wanted."""
    columns = read_header(first)
    with database.read() as session:
        known = definitions(session)
    new = [name for name in columns.attributes.values() if name not in known]
    if new and not (order.declare or order.dry_run):
        at = columns.meanings.index(new[0]) + 1
        raise ImportRefused(
            f"{first.line}:{at}: no attribute is named {new[0]!r}{nearest(new[0], known)},"
            f" --declare declares all this file needs ({', '.join(new)}) as text"
        )
    declared = {name: Definition(name=name, kind=order.new_kind) for name in new}
    if declared and not order.dry_run:
        with database.write() as session:
            declare(session, declared.values(), now=order.now)
    return columns.typed(known | declared), Report(declared=tuple(new))


@dataclass(frozen=True, kw_only=True)
class _Batch:
    entries: list[Entry]
    refused: int


def _batches(
    rows: Iterable[Cells],
    columns: Columns,
    header: tuple[str, ...],
    refused: Callable[[Refused], None],
) -> Iterator[_Batch]:
    """Good rows in batches, nobody twice in one, so that the later row finds the earlier."""
    entries: dict[str, Entry] = {}
    bad = 0
    for row in rows:
        try:
            entry = read_row(row, columns)
        except RowRefused as exc:
            refused(Refused(line=row.line, reason=str(exc), cells=row.cells, header=header))
            bad += 1
            continue
        if len(entries) >= BATCH or entry.address.key in entries:
            yield _Batch(entries=[*entries.values()], refused=bad)
            entries, bad = {}, 0
        entries[entry.address.key] = entry
    yield _Batch(entries=[*entries.values()], refused=bad)


def _import_batch(database: Database, batch: _Batch, order: Import) -> Report:
    report = Report(refused=batch.refused)
    if not batch.entries:
        return report
    for _ in range(_TRIES):
        try:
            with database.write() as session:
                taken = _try(session, batch.entries, order)
            return report + taken
        except _DryRunOver as exc:
            return report + exc.report
        except (IntegrityError, DatabaseBusy):
            # Another process inserted some of them since we looked: look again.
            continue
    raise DatabaseBusy


def _try(session: Session, entries: list[Entry], order: Import) -> Report:
    taken = take(session, entries, order)
    if order.dry_run:
        raise _DryRunOver(taken)
    return taken
