"""What a copy costs a database, on a reduced run, and what that comes to at full size.

`python -m bench.scaling [--people N]` prints the measured figures and those of docs/scaling.md
that follow from them. PostgreSQL is our own, with fsync.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from bench import content, stages
from bench.ground import Ground, on_postgres, on_sqlite

#: What docs/scaling.md asks about.
RATE = 10_000
SUBSCRIBERS = 100_000_000
WORKERS = 100
#: Full campaigns whose single copies are kept, before they are rolled up.
KEPT = 4

_LEDGER = ("deliveries", "intents", "outcomes")
# As a bare INSERT ... SELECT could write the same rows: no lanes, no consent, no keys.
_BARE = """
    INSERT INTO bare_deliveries
    SELECT id, 1, 'issue', id, NULL, address_hash, id / 500, 'other', NULL, 'queued', 0, NULL,
           NULL, NULL, created_at, NULL, NULL
    FROM subscribers
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a copy costs; sizes and journal in bytes, CPU in microseconds, None on SQLite."""

    snapshot: float
    bare: float
    ledger: float
    commits: float
    journal: float | None
    sizes: dict[str, tuple[float, float]] | None


def main() -> None:
    """Measure on both databases, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling")
    parser.add_argument("--people", type=int, default=100_000, help="how long the list is")
    people = parser.parse_args().people
    with tempfile.TemporaryDirectory(prefix="pressrun-scaling-") as name, ExitStack() as stack:
        folder = Path(name)
        for ground in (
            stack.enter_context(on_sqlite(folder)),
            stack.enter_context(on_postgres(folder)),
        ):
            ground.add_people(people)
            cost = measure(ground, people)
            _tell(ground.kind, people, cost)
            if cost.sizes is not None and cost.journal is not None:
                _derive(cost, cost.sizes, cost.journal)


def measure(ground: Ground, people: int) -> Cost:
    """Write a snapshot, bare and whole, then keep books over some of it."""
    content.rendering("en")  # is no part of the snapshot
    bare = _seconds(lambda: _write_bare(ground))
    snapshot = _seconds(lambda: ground.plan_campaign("en"))
    campaign = _number(ground, "SELECT max(id) FROM campaigns")
    before = _state(ground)
    ledger = stages.keep_books(ground, campaign, seconds=5)
    after = _state(ground)
    copies = _number(ground, "SELECT count(*) FROM intents")
    return Cost(
        snapshot=snapshot / people * 1e6,
        bare=bare / people * 1e6,
        ledger=ledger,
        commits=1 / stages.BATCH,
        journal=None if ground.database.is_sqlite else (after - before) / copies,
        sizes=None if ground.database.is_sqlite else _sizes(ground, people, copies),
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _write_bare(ground: Ground) -> None:
    with ground.database.write() as session:
        session.execute(text("CREATE TABLE bare_deliveries AS SELECT * FROM deliveries"))
        session.execute(text(_BARE))


def _state(ground: Ground) -> int:
    """How much PostgreSQL has written into its journal so far."""
    if ground.database.is_sqlite:
        return 0
    return _number(ground, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")


def _sizes(ground: Ground, people: int, copies: int) -> dict[str, tuple[float, float]]:
    """Bytes a row in each table of the ledger, and in its indexes."""
    rows = {"deliveries": people, "intents": copies, "outcomes": copies}
    return {
        table: (
            _number(ground, f"SELECT pg_table_size('{table}')") / rows[table],
            _number(ground, f"SELECT pg_indexes_size('{table}')") / rows[table],
        )
        for table in _LEDGER
    }


def _number(ground: Ground, question: str) -> int:
    with ground.database.read() as session:
        return _answer(session, question)


def _answer(session: Session, question: str) -> int:
    return int(session.execute(text(question)).scalar_one())


def _tell(kind: str, people: int, cost: Cost) -> None:
    print(f"{kind}, a list of {people:,}")
    print(f"  snapshot     {cost.snapshot:8.1f} us a copy; bare INSERT ... SELECT {cost.bare:.1f}")
    print(f"  ledger       {cost.ledger:8.0f} us of CPU a copy, client and server")
    print(f"  commits      {cost.commits:8.3f} a copy")
    if cost.sizes is not None:
        print(f"  journal      {cost.journal:8.0f} bytes a copy sent")
        for table, (rows, indexes) in cost.sizes.items():
            print(f"  {table:<12} {rows:8.0f} bytes a row, {indexes:.0f} in its indexes")


def _derive(cost: Cost, sizes: dict[str, tuple[float, float]], journal: float) -> None:
    """What the same costs come to at full size; each line names how it follows."""
    a_copy = sum(rows + indexes for rows, indexes in sizes.values())
    print(f"derived: {RATE:,} messages/s, {SUBSCRIBERS:,} subscribers, {WORKERS} workers")
    print(f"  a campaign of all    {SUBSCRIBERS / RATE / 3600:8.1f} hours")
    print(f"  commits              {RATE * cost.commits:8.0f} a second, all workers together")
    print(f"  journal              {RATE * journal / 1e6:8.1f} MB a second")
    print(f"  CPU of the ledger    {RATE * cost.ledger / 1e6:8.2f} cores, client and server")
    print(f"  snapshot of all      {SUBSCRIBERS * cost.snapshot / 1e6 / 60:8.1f} minutes")
    print(f"  ledger of a campaign {SUBSCRIBERS * a_copy / 1e9:8.1f} GB")
    print(f"  the {KEPT} that are kept   {KEPT * SUBSCRIBERS * a_copy / 1e9:8.1f} GB")
    print(f"  a worker             {RATE / WORKERS:8.0f} messages a second")


if __name__ == "__main__":
    main()
