"""The page on people: each figure beside what it is held to."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from bench.people_model import Figures, Kind

_INTRO = """\
# People: benchmarks

Written by `python -m bench.people` (a part of `make bench`) with {rows:,} people; do not edit.
CPU is of this process and, where there is one, of the database server. Machines are shared and
their speed moves: trust ratios within one run, and CPU over the clock.

- {now:%Y-%m-%d}, {cpus} CPUs, {system}, Python {python}, SQLAlchemy {sqlalchemy}, psycopg {psycopg}
- load while it ran, by all that ran there: {load}
"""
_IMPORT = """\
The limit is the driver alone: `executemany` or COPY of the same rows, already validated, into the
same tables in batches of the same size. Limit and import take turns, there and back.
"""
_MEMORY = "One process each, from its start to its end, on SQLite; the most it ever held (VmHWM).\n"
_SEGMENTS = "The least of three counts each, consent and suppressions included.\n"
_ACTS = """\
One transaction each, commit and all, with indexes deeper than so many people need. {deep}.
"""


def page(figures: Figures) -> str:
    """The page in Markdown."""
    parts = [
        _intro(figures),
        "## Import\n",
        _IMPORT,
        _imports(figures.kinds),
        "## Memory\n",
        _MEMORY,
    ]
    parts += [_memory(figures), "## Segments\n", _SEGMENTS, _segments(figures.kinds)]
    deep = "; ".join(f"{kind.name}: {kind.deep}" for kind in figures.kinds)
    parts += ["## One person\n", _ACTS.format(deep=deep), _acts(figures.kinds)]
    parts += ["## Export\n", _exports(figures.kinds)]
    parts += [f"Left out: {words}\n" for words in figures.left_out]
    return "\n".join(parts)


def _intro(figures: Figures) -> str:
    return _INTRO.format(
        rows=figures.kinds[0].rows,
        now=datetime.now(UTC),
        cpus=os.cpu_count(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        sqlalchemy=version("sqlalchemy"),
        psycopg=version("psycopg"),
        load=f"{os.getloadavg()[2]:.1f}",
    )


def _imports(kinds: Sequence[Kind]) -> str:
    rows = []
    for kind in kinds:
        limit, taken = kind.speeds["limit"], kind.speeds["import"]
        for name, speed in kind.speeds.items():
            if name != "export":
                rows.append([kind.name, name, f"{speed.rate:,.0f}", f"{speed.cost:.0f}", "", ""])
        ratios = [f"{taken.rate / limit.rate:.2f}", f"{limit.cost / taken.cost:.2f}"]
        rows[-2 if "row by row" in kind.speeds else -1][4:] = ratios
    header = ["", "", "rows/s", "CPU us a row", "of the limit's speed", "of it by CPU"]
    return _table(header, rows)


def _memory(figures: Figures) -> str:
    rows = [
        [what, f"{count:,}", f"{mebibytes:.0f}"]
        for (what, count), mebibytes in figures.memory.items()
    ]
    return _table(["", "rows", "MiB"], rows)


def _segments(kinds: Sequence[Kind]) -> str:
    rows = [
        [
            kind.name,
            f"`{one.words}`",
            f"{one.people:,}",
            f"{kind.speeds['export'].rows:,}",
            f"{one.seconds:.2f}",
            f"{one.cpu:.2f}",
        ]
        for kind in kinds
        for one in kind.segments
    ]
    return _table(["", "segment", "people", "of", "seconds", "CPU seconds"], rows)


def _acts(kinds: Sequence[Kind]) -> str:
    rows = [
        [kind.name, one.name, f"{one.milliseconds:.1f}", f"{one.cpu:.1f}"]
        for kind in kinds
        for one in kind.acts
    ]
    return _table(["", "", "ms", "CPU ms"], rows)


def _exports(kinds: Sequence[Kind]) -> str:
    rows = [
        [kind.name, f"{speed.rate:,.0f}", f"{speed.cost:.0f}"]
        for kind in kinds
        if (speed := kind.speeds.get("export"))
    ]
    return _table(["", "rows/s", "CPU us a row"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
