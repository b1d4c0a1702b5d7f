"""All figures, or one, measured one after the other, and the table of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.targets import carried, kept, signed, snapshot
from bench.targets.model import Extent, Left, Line, Measure

#: The figures by the name that `--only` takes.
FIGURES: dict[str, Measure] = {
    "rsa": signed.rsa,
    "unsigned": signed.unsigned,
    "transport": carried.transport,
    "far": carried.far,
    "tls": signed.tls,
    "memory": kept.worker_memory,
    "database": kept.database,
    "snapshot": snapshot.snapshot,
}
#: Those that start workers: the short form, which has others that do, leaves them out.
SLOW = ("rsa", "unsigned", "far", "tls", "memory")


def measure(extent: Extent, names: Sequence[str]) -> list[Line | Left]:
    """Measure these figures; one that fails is told of and keeps the others from nothing."""
    lines: list[Line | Left] = []
    for name in names:
        began = time.monotonic()
        print(f"figure {name} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix=f"pressrun-{name}-") as folder:
            try:
                found = FIGURES[name](extent, Path(folder))
            except Exception as exc:  # noqa: BLE001 - whatever it is, the others are measured
                found = [Left(what=name, why=f"it failed: {type(exc).__name__}: {exc}"[:300])]
        lines += found
        print(table(found), flush=True)
        print(f"figure {name}: {time.monotonic() - began:.0f} s", flush=True)
    return lines


def short(extent: Extent) -> list[Line | Left]:
    """The quick figures, and the others by name."""
    left = [Left(what=name, why=f"not in the short form: --only {name}") for name in SLOW]
    return [*measure(extent, [name for name in FIGURES if name not in SLOW]), *left]


def table(lines: Sequence[Line | Left]) -> str:
    """A Markdown table of figures, and lines on those that are left out."""
    rows = ["| figure | target | measured | met | |", "| --- | --- | --- | --- | --- |"]
    for line in lines:
        if isinstance(line, Left):
            rows.append(f"| {line.what} | | not measured | | {' '.join(line.why.split())} |")
        else:
            met = "yes" if line.met else "**no**"
            rows.append(f"| {line.what} | {line.target} | {line.measured} | {met} | {line.note} |")
    return "\n".join(rows) + "\n"
