"""How much memory an import and an export hold, each in a process of its own."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

from bench.ground import on_sqlite
from bench.people_rows import Lot, declare_attributes, imported
from subscribers import queries
from subscribers.database import Database
from subscribers.transfer.exporting import export_csv


def memory(rows: int, folder: Path) -> dict[tuple[str, int], float]:
    """What processes hold at most that import and export so many rows, in MiB."""
    file, context = folder / "memory.csv", get_context("spawn")
    Lot(numbers=range(rows)).write(file)
    found = {}
    url = f"sqlite:///{folder / f'memory-{rows}.db'}"
    with context.Pool(1) as pool:
        found["import", rows] = pool.apply(_peak_of_import, (rows, folder, file))
    with context.Pool(1) as pool:
        found["export", rows] = pool.apply(_peak_of_export, (url, folder))
    return found


def _peak_of_import(rows: int, folder: Path, file: Path) -> float:
    with on_sqlite(folder, f"memory-{rows}") as ground:
        declare_attributes(ground)
        imported(ground, file, rows)
        return highest()


def _peak_of_export(url: str, folder: Path) -> float:
    database = Database(url)
    out = folder / "out.csv"
    with out.open("w", encoding="utf-8", newline="") as file, database.read() as session:
        export_csv(session, queries.newsletters(session)[0].id, file)
    database.dispose()
    return highest()


def highest() -> float:
    """The most memory that this process has held so far, in MiB."""
    # Not ru_maxrss: that is the parent's, too, where a process was made by vfork.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**10
