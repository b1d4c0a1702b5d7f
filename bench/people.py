"""`python -m bench.people [--out docs]`: people in and out of both databases, beside what nothing
can beat; writes benchmarks-people.md into the folder.

The limit is the driver alone: `executemany` or COPY of the same rows, already validated, into
the same tables in batches of the same size. Both are told in CPU, client and server together,
since machines are shared, and in rows per second. Below it, what one would write first: `csv` and
one INSERT per row.
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import insert, text

from bench.ground import Ground, on_postgres, on_sqlite
from bench.people_memory import memory
from bench.people_model import Act, Figures, Segment, Speed
from bench.people_model import Kind as Measured
from bench.people_page import page
from bench.people_rows import Lot, address, declare_attributes, imported, plan, spent
from mailer.report.privacy.erase import erase
from subscribers import queries
from subscribers.address import parse
from subscribers.segment import queries as segments
from subscribers.tables import consents, subscribers, subscriptions
from subscribers.transfer.bulk import Row, insert_rows, moment_text, new_ids
from subscribers.transfer.exporting import export_csv
from tests.services.process import ServiceMissing

_PERSON = (
    *("id", "address", "address_key", "address_hash", "domain", "domain_hash", "name"),
    *("attributes", "tags", "created_at"),
)
_PLACE = ("newsletter_id", "subscriber_id", "status", "joined_at", "source", "soft_bounces")
_CONSENT = ("newsletter_id", "subscriber_id", "action", "at", "source", "evidence")
_SEGMENTS = (
    "plan = pro",
    "plan = pro and joined > 2026-01-01 and not tag:vip and domain = d7.example.org",
    "score > 50 and not opened in last 90 days",
)
#: So many rows by the slow way are enough to know it.
_SLOW = 3000


def limit(ground: Ground, lot: Lot) -> tuple[float, float]:
    """Seconds and CPU seconds of the driver alone; making the rows is not counted."""
    took = cpu = 0.0
    for numbers in lot.batches():
        with ground.database.write() as session:
            now = moment_text(session, datetime.now(UTC))
            ids = new_ids(session, subscribers, len(numbers))
            rows = _rows(ground, dict(zip(ids, numbers, strict=True)), now)
            began, busy = spent(ground)
            for table, columns, values in zip(
                (subscribers, subscriptions, consents),
                (_PERSON, _PLACE, _CONSENT),
                rows,
                strict=True,
            ):
                insert_rows(session, table, columns, values)
        ended, done = spent(ground)
        took, cpu = took + ended - began, cpu + done - busy
    return took, cpu


def _rows(ground: Ground, people: dict[int, int], now: str) -> tuple[list[Row], ...]:
    keyring, newsletter = ground.keyring, ground.newsletter.id
    persons: list[Row] = []
    for subscriber_id, number in people.items():
        key = address(number)
        domain = key.partition("@")[2]
        told = f'{{"plan": "{plan(number)}", "score": {number % 100}}}'
        hashes = keyring.address_hash(key), keyring.domain_hash(domain)
        persons.append(
            (
                subscriber_id,
                key,
                key,
                hashes[0],
                domain,
                hashes[1],
                f"Name {number}",
                told,
                "[]",
                now,
            )
        )
    places: list[Row] = [(newsletter, one, "active", now, "import", 0) for one in people]
    agreed: list[Row] = [
        (newsletter, one, "imported", now, "import", '{"line": 1}') for one in people
    ]
    return persons, places, agreed


def slow(ground: Ground, path: Path) -> Speed:
    """`csv` and one INSERT into each table per row, in one transaction."""
    (began, busy), count = spent(ground), 0
    now = datetime.now(UTC)
    with path.open(encoding="utf-8", newline="") as file, ground.database.write() as session:
        for row in csv.DictReader(file):
            parsed = parse(row["email"])
            person = session.execute(
                insert(subscribers)
                .values(
                    address=parsed.as_given,
                    address_key=parsed.key,
                    address_hash=ground.keyring.address_hash(parsed.key),
                    domain=parsed.domain,
                    domain_hash=ground.keyring.domain_hash(parsed.domain),
                    name=row["name"],
                    attributes={"plan": row["plan"], "score": int(row["score"])},
                    tags=[],
                    created_at=now,
                )
                .returning(subscribers.c.id)
            ).scalar_one()
            place = {"newsletter_id": ground.newsletter.id, "subscriber_id": person}
            session.execute(
                insert(subscriptions).values(
                    **place, status="active", joined_at=now, source="import", soft_bounces=0
                )
            )
            session.execute(
                insert(consents).values(
                    **place, action="imported", at=now, source="import", evidence={}
                )
            )
            count += 1
    ended, done = spent(ground)
    return Speed(rows=count, seconds=ended - began, cpu=done - busy)


def counted(ground: Ground, words: str) -> Segment:
    """A segment counted three times."""
    with ground.database.read() as session:
        tree = segments.read(session, words)
        tries = []
        for _ in range(3):
            began, busy = spent(ground)
            size = segments.count(session, ground.newsletter.id, tree, now=datetime.now(UTC))
            ended, done = spent(ground)
            tries.append((ended - began, done - busy))
    seconds, cpu = (min(each) for each in zip(*tries, strict=True))
    return Segment(words=words, people=size, seconds=seconds, cpu=cpu)


def single(ground: Ground, *, times: int = 50) -> list[Act]:
    """Each thing that is done with one person, so many times, commit and all."""
    took: dict[str, list[tuple[float, float]]] = {}
    for number in range(times):
        for name, act in _acts(ground, f"single{number}@single.example").items():
            began, busy = spent(ground)
            act()
            ended, done = spent(ground)
            took.setdefault(name, []).append(((ended - began) * 1e3, (done - busy) * 1e3))
    return [
        Act(
            name=name,
            milliseconds=median(one for one, _ in each),
            cpu=sum(cpu for _, cpu in each) / times,
        )
        for name, each in took.items()
    ]


def _acts(ground: Ground, who: str) -> dict[str, Callable[[], object]]:
    wanted, newsletter, keyring = parse(who), ground.newsletter, ground.keyring
    now = datetime.now(UTC)

    def writing(act: Callable[..., object]) -> Callable[[], None]:
        def run() -> None:
            with ground.database.write() as session:
                act(session)

        return run

    return {
        "add": writing(lambda s: queries.add(s, wanted, newsletter, keyring=keyring, now=now)),
        "show": writing(lambda s: queries.show(s, wanted, keyring=keyring)),
        "unsubscribe": writing(
            lambda s: queries.unsubscribe(s, queries.find(s, wanted).id, newsletter, now=now)
        ),
        "erase": writing(lambda s: erase(s, wanted, keyring=keyring, now=now)),
    }


def deepen(ground: Ground) -> str:
    """Give PostgreSQL's indexes the leaves that ten times the people would fill."""
    with ground.database.write() as session:
        names = session.execute(
            text("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
        ).scalars()
        for name in [*names]:
            session.execute(text(f'ALTER INDEX "{name}" SET (fillfactor = 10)'))
            session.execute(text(f'REINDEX INDEX "{name}"'))
    return "leaves filled to a tenth, as many as ten times the people fill"


@contextmanager
def on_small_pages(folder: Path, rows: int) -> Iterator[Ground]:
    """SQLite with pages of 512 bytes: a tenth of a million people make deeper trees there than
    ten million do in pages of 4 KiB.
    """
    with sqlite3.connect(folder / "small.db") as fresh:
        fresh.execute("PRAGMA page_size = 512")
        fresh.execute("VACUUM")
    fresh.close()
    with on_sqlite(folder, "small") as ground:
        declare_attributes(ground)
        limit(ground, Lot(numbers=range(rows)))
        yield ground


def exported(ground: Ground, path: Path) -> Speed:
    """A newsletter's people into a CSV."""
    began, busy = spent(ground)
    with path.open("w", encoding="utf-8", newline="") as file, ground.database.read() as session:
        count = export_csv(session, ground.newsletter.id, file)
    ended, done = spent(ground)
    return Speed(rows=count, seconds=ended - began, cpu=done - busy)


def _taking_turns(ground: Ground, found: Measured, file: Path) -> None:
    share = found.rows // 4
    took = {"limit": [0.0, 0.0], "import": [0.0, 0.0]}
    # There and back, so that a slow minute and the growing indexes fall on both alike.
    for start, what in zip(
        range(0, found.rows, share), ("limit", "import", "import", "limit"), strict=False
    ):
        lot = Lot(numbers=range(start, start + share))
        if what == "import":
            lot.write(file)
        seconds, busy = limit(ground, lot) if what == "limit" else imported(ground, file, share)
        took[what][0] += seconds
        took[what][1] += busy
    for what, (seconds, busy) in took.items():
        found.speeds[what] = Speed(rows=2 * share, seconds=seconds, cpu=busy)


def measure(name: str, ground: Ground, rows: int, folder: Path) -> Measured:
    """Measure one database."""
    found = Measured(name=name, rows=rows)
    declare_attributes(ground)
    file = folder / f"{name}.csv"
    _taking_turns(ground, found, file)
    Lot(numbers=range(rows, rows + _SLOW)).write(file)
    found.speeds["row by row"] = slow(ground, file)
    with ground.database.write() as session:
        session.execute(text("ANALYZE"))
    found.segments = [counted(ground, words) for words in _SEGMENTS]
    found.speeds["export"] = exported(ground, file)
    if ground.server is not None:
        found.deep = deepen(ground)
        found.acts = single(ground)
        return found
    with on_small_pages(folder, rows // 10) as deep:
        found.deep = f"{rows // 10:,} people in pages of 512 bytes"
        found.acts = single(deep)
    return found


def measure_all(rows: int) -> Figures:
    """SQLite, and PostgreSQL where there is one."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="pressrun-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        for size in (rows // 10, rows):
            figures.memory |= memory(size, folder)
            print(f"memory at {size:,}: {figures.memory}", flush=True)
        sqlite = stack.enter_context(on_sqlite(folder))
        figures.kinds.append(measure("SQLite", sqlite, rows, folder))
        print(figures.kinds[-1], flush=True)
        try:
            postgres = stack.enter_context(on_postgres(folder))
            figures.kinds.append(measure("PostgreSQL", postgres, rows, folder))
            print(figures.kinds[-1], flush=True)
        except ServiceMissing as exc:
            figures.left_out.append(f"PostgreSQL: {exc}")
    return figures


def main() -> None:
    """Measure, then write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.people")
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many people")
    parser.add_argument("--out", type=Path, help="a folder for the page; else it is printed")
    options = parser.parse_args()
    written = page(measure_all(options.rows))
    if options.out is None:
        print(written)
        return
    path = options.out / "benchmarks-people.md"
    path.write_text(written, encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
