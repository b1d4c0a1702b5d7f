"""A snapshot of a long list into chunks by lane, against one bare INSERT … SELECT.

The bare statement writes as many rows into the same table, with its keys and indexes, in one
transaction: no lanes, no consent, no suppressions, no chunks, no room for anybody else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import text

from bench.ground import Ground, on_postgres, on_sqlite
from bench.targets.model import Extent, Left, Line
from tests.services.process import ServiceMissing

_BARE = """
    INSERT INTO deliveries
        (campaign_id, kind, subscriber_id, address_hash, chunk_id, lane, state, attempt,
         changed_at)
    SELECT :campaign, 'issue', id, address_hash, id / 500, 'other', 'queued', 0, created_at
    FROM subscribers
"""


def snapshot(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """Rows a second of the snapshot over those of the bare statement."""
    lines: list[Line | Left] = []
    for kind, place in (("SQLite", on_sqlite), ("PostgreSQL", on_postgres)):
        try:
            with place(folder) as ground:
                lines.append(_compare(kind, ground, extent.long_list))
        except ServiceMissing as exc:
            lines.append(Left(what=f"the snapshot on {kind}", why=str(exc)))
    return lines


def _compare(kind: str, ground: Ground, people: int) -> Line:
    ground.add_many_people(people)
    bare = _bare(ground)
    campaign = ground.empty_campaign("en")
    whole = _cost(ground, lambda: ground.plan(campaign))
    return Line(
        what=f"snapshot of {people:,}, {kind}: of a bare INSERT … SELECT, by CPU",
        bound=0.5,
        least=True,
        values=[bare[0] / whole[0]],
        note=f"{whole[0] / people * 1e6:.1f} and {bare[0] / people * 1e6:.1f} µs of CPU a row;"
        f" by time {bare[1] / whole[1]:.2f}",
    )


def _bare(ground: Ground) -> tuple[float, float]:
    """Write the rows for a campaign of their own, and take them away again."""
    campaign = ground.empty_campaign("zh")

    def write() -> None:
        with ground.database.write() as session:
            session.execute(text(_BARE), {"campaign": campaign})

    cost = _cost(ground, write)
    with ground.database.write() as session:
        session.execute(text("DELETE FROM deliveries"))
    if not ground.database.is_sqlite:
        ground.vacuum()
    return cost


def _cost(ground: Ground, work: Callable[[], object]) -> tuple[float, float]:
    """CPU of client and server, and the time that passed, in seconds."""
    began, cpu = time.monotonic(), time.process_time() + ground.server_cpu
    work()
    return time.process_time() + ground.server_cpu - cpu, time.monotonic() - began
