"""A worker's memory, and what the ledger costs a database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import limits, memory, sink, stages
from bench.ground import Ground, on_postgres, on_sqlite
from bench.targets.model import Extent, Left, Line
from tests.services.process import ServiceMissing

_BOUNDS = {"SQLite": 60.0, "PostgreSQL": 150.0}


def worker_memory(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """Peak resident memory of a worker, on a short list and in a long one."""
    short, whole = extent.short_list, extent.long_list
    with sink.running(folder) as taking:
        peaks = {
            f"{short:,} recipients, all sent": memory.of_one(short, short, folder, taking),
            f"{whole:,} recipients, {extent.sent_of_long:,} of them sent": memory.of_one(
                whole, extent.sent_of_long, folder, taking
            ),
        }
    lines = [
        Line(
            what=f"memory of a worker, {what}: peak resident",
            bound=90,
            least=False,
            values=[peak],
            unit=" MiB",
            form="{:.0f}",
        )
        for what, peak in peaks.items()
    ]
    few, many = peaks.values()
    same = Line(
        what="memory of a worker: the long list over the short one",
        bound=1.05,
        least=False,
        values=[many / few],
    )
    return [*lines, same]


def database(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """CPU of client and server for page, gate and outcome of a message."""
    lines: list[Line | Left] = []
    for kind, bound in _BOUNDS.items():
        try:
            with on_sqlite(folder) if kind == "SQLite" else on_postgres(folder) as ground:
                lines.append(_ledger(kind, bound, ground, extent))
        except ServiceMissing as exc:
            lines.append(Left(what=f"the ledger on {kind}", why=str(exc)))
    return lines


def _ledger(kind: str, bound: float, ground: Ground, extent: Extent) -> Line:
    ground.add_many_people(extent.people * 4)  # it is quick: a window takes tens of thousands
    campaign = ground.plan_campaign("en")
    stages.keep_books(ground, campaign, seconds=0.3)  # statements are put together once
    costs = [
        stages.keep_books(ground, campaign, seconds=extent.seconds / 2)
        for _ in range(extent.rounds)
    ]
    bare = limits.bare_inserts(ground, seconds=0.5)
    return Line(
        what=f"database, {kind}: CPU of client and server a message, with the gate",
        bound=bound,
        least=False,
        values=costs,
        unit=" µs",
        form="{:.0f}",
        note=f"bare INSERTs of an intent and an outcome {bare:.0f} µs",
    )
