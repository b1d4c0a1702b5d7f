"""People from a file into a newsletter: batches of some thousands, each one transaction.

Importing a file twice changes nothing the second time, so that one that was cut off is simply
started again. Nobody is brought back: who left, bounced, complained, was erased or is suppressed
stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import BinaryIO

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from subscribers.attribute.model import Definition, Kind, nearest
from subscribers.attribute.queries import declare, definitions
from subscribers.database import Database
from subscribers.errors import DatabaseBusy, ImportRefused
from subscribers.transfer.header import MEANINGS, Columns, of_file, read_header
from subscribers.transfer.model import (
    Cells,
    Entry,
    Import,
    Progress,
    Reading,
    Refused,
    Report,
    RowRefused,
)
from subscribers.transfer.objects import expand
from subscribers.transfer.profile.known import PROFILES
from subscribers.transfer.profile.model import IGNORED, Profile
from subscribers.transfer.row import read_row
from subscribers.transfer.sheet import Rows
from subscribers.transfer.source import Source, Table, open_source
from subscribers.transfer.taking import take

BATCH = 2000
#: How often a batch is tried that other imports stand in the way of.
_TRIES = 10
#: What `--from` says of a file that is nobody's.
PLAIN = "csv"


class _DryRunOver(Exception):
    """Rolls back a batch that was only tried."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Who is told, while an import goes on: how tables are read, refused rows, how far it is."""

    reading: Callable[[Reading], None] = lambda _reading: None
    refused: Callable[[Refused], None] = lambda _row: None
    progress: Callable[[Progress], None] = lambda _progress: None


def import_people(
    database: Database,
    file: BinaryIO,
    order: Import,
    *,
    name: str = "",
    tell: Listeners = Listeners(),
) -> Report:
    """Read a seekable binary file of this name into a newsletter; memory stays flat at any size.

    It is CSV, JSON lines, or a zip of such. Raises ImportRefused (line:column and remedy) where
    a header can't be used; then nothing was changed. A dry run tries every batch and takes it
    back.
    """
    with open_source(file, name) as source:
        # All headers before the first row: a mistake in the last changes nothing.
        plans = _plans(database, source, order)
        for plan in plans:
            tell.reading(plan.reading)
        wanted = [plan for plan in plans if not plan.left_out]
        new = {one.name: one for plan in wanted for one in plan.new}
        if new and not order.dry_run:
            with database.write() as session:
                declare(session, new.values(), now=order.now)
        report = Report(declared=tuple(new))
        for plan in wanted:
            report = _import_table(database, plan, order, tell, report, source.total)
        tell.progress(Progress(done=source.total, total=source.total, report=report))
    return report


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How one table is read: its rows and header, what its columns mean, what attributes are new.

    `left_out`: why it is not.
    """

    table: Table
    rows: Rows
    first: Cells
    columns: Columns
    new: tuple[Definition, ...] = ()
    left_out: str = ""

    @property
    def reading(self) -> Reading:
        """The same in words."""
        profile = self.columns.profile
        return Reading(
            table=self.table.name,
            profile=profile.name if profile else None,
            columns=() if self.left_out or self.columns.headless else tuple(self._becomes()),
            left_out=self.left_out,
            declares=tuple(one.name for one in self.new),
        )

    def _becomes(self) -> Iterator[tuple[str, str]]:
        new = {one.name: one.kind for one in self.new}
        for name, meaning in zip(self.first.cells, self.columns.meanings, strict=True):
            if meaning in MEANINGS or not meaning:
                yield name, meaning.replace(IGNORED, "left out") or "nothing: it has no name"
                continue
            kind = new.get(meaning) or self.columns.kinds.get(meaning, Kind.TEXT)
            yield name, f"{'new ' if meaning in new else ''}attribute {meaning} ({kind})"


def _plans(database: Database, source: Source, order: Import) -> list[_Plan]:
    """A plan for each table; raises ImportRefused where there is nothing to import."""
    with database.read() as session:
        known = definitions(session)
    plans, refused = [], ""
    for name in source.names:
        table = source.open(name)
        try:
            plans.append(_understand(table, order, known, single=not source.archive))
        except ImportRefused as exc:
            if source.archive is None:
                raise
            table.file.close()
            refused = f"{name}:{exc}"
    theirs = any(plan.columns.profile and not plan.left_out for plan in plans)
    chosen = [
        # Where some are a service's lists of people, what else has addresses is none.
        replace(plan, left_out="no list of people") if theirs and not plan.columns.profile else plan
        for plan in plans
    ]
    if all(plan.left_out for plan in chosen):
        raise ImportRefused(f"holds no list of people ({refused or chosen[0].left_out})")
    for plan in chosen:
        if plan.left_out:
            plan.table.file.close()
        elif plan.new and not (order.declare or order.dry_run):
            _refuse_new(plan, known, where=f"{plan.table.name}:" if source.archive else "")
    return chosen


def _refuse_new(plan: _Plan, known: dict[str, Definition], *, where: str) -> None:
    names = [one.name for one in plan.new]
    at = plan.columns.meanings.index(names[0])
    raise ImportRefused(
        f"{where}{plan.first.line}:{at + 1}: no attribute is named"
        f" {names[0]!r}{nearest(names[0], known)},"
        f" --declare declares all this file needs ({', '.join(names)}),"
        f" --column '{plan.first.cells[at]}=-' leaves it out"
    )


def _understand(
    table: Table, order: Import, known: dict[str, Definition], *, single: bool
) -> _Plan:
    """The columns with their attributes' kinds, objects made into columns of their own."""
    rows = table.rows()
    wanted = _profile(order)

    def read(profile: Profile | None) -> tuple[Cells, Columns]:
        with closing(rows.records()) as records:
            first = next(records, None)
        if first is None:
            raise ImportRefused("is empty; its first line should name the columns: email,name")
        return first, read_header(
            first,
            profile=profile,
            plain=order.profile == PLAIN,
            renamed=order.columns,
            file=table.name,
            guarded=rows.guarded,
        )

    first, columns = read(wanted)
    there = {*first.cells}
    if columns.objects:
        rows = expand(rows, first.cells, columns.objects)
        first, columns = read(columns.profile)
    if single:
        _refuse_unmet(order, first, there.union(first.cells))
    kinds = _kinds(first, columns, rows)
    new = [name for name in dict.fromkeys(columns.attributes.values()) if name not in known]
    declared = {name: Definition(name=name, kind=kinds.get(name, order.new_kind)) for name in new}
    met, status = of_file(columns.profile, table.name) if columns.profile else (False, None)
    return _Plan(
        table=table,
        rows=rows,
        first=first,
        columns=columns.typed(known | declared),
        new=tuple(declared.values()),
        left_out="people who never subscribed" if met and status is None else "",
    )


def _kinds(first: Cells, columns: Columns, rows: Rows) -> dict[str, Kind]:
    """What new attributes hold, as far as the file or its profile tells."""
    found = {
        name: rows.kinds[first.cells[at]]
        for at, name in columns.attributes.items()
        if first.cells[at] in rows.kinds
    }
    return found | dict(columns.profile.kinds if columns.profile else {})


def _refuse_unmet(order: Import, first: Cells, there: set[str]) -> None:
    names = {name.strip().casefold() for name in there}
    for name in order.columns:
        if name.strip().casefold() not in names:
            raise ImportRefused(
                f"{first.line}: no column is named {name!r:.80}"
                f" (here: {', '.join(first.cells)[:200]})"
            )


def _profile(order: Import) -> Profile | None:
    if order.profile in (None, PLAIN):
        return None
    try:
        return PROFILES[str(order.profile)]
    except KeyError:
        known = ", ".join(PROFILES)
        raise ImportRefused(
            f"is from no service that is known ({order.profile!r:.40}); write {known} or {PLAIN}"
        ) from None


def _import_table(
    database: Database,
    plan: _Plan,
    order: Import,
    tell: Listeners,
    report: Report,
    total: int,
) -> Report:
    """Import one table's rows; gives the report with what became of them."""
    table, columns = plan.table, plan.columns
    with closing(plan.rows.records()) as records:
        rows = records if columns.headless else islice(records, 1, None)
        refused = partial(
            Refused, header=("email",) if columns.headless else plan.first.cells, table=table.name
        )
        for batch in _batches(
            rows,
            columns,
            lambda row, why: tell.refused(refused(line=row.line, reason=why, cells=row.cells)),
        ):
            report += _import_batch(database, batch, order)
            tell.progress(
                Progress(done=table.start + table.file.tell(), total=total, report=report)
            )
    return report


@dataclass(frozen=True, kw_only=True)
class _Batch:
    entries: list[Entry]
    refused: int


def _batches(
    rows: Iterable[Cells], columns: Columns, refused: Callable[[Cells, str], None]
) -> Iterator[_Batch]:
    """Good rows in batches, nobody twice in one, so that the later row finds the earlier."""
    entries: dict[str, Entry] = {}
    bad = 0
    for row in rows:
        try:
            entry = read_row(row, columns)
        except RowRefused as exc:
            refused(row, str(exc))
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
