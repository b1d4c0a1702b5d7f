"""`python -m bench.people`: people in and out of both databases, beside what nothing can beat.

The limit is the driver alone: `executemany` or COPY of the same rows, already validated, into
the same tables in batches of the same size. Both are told in CPU, client and server together,
since machines are shared, and in rows per second. Below it, what one would write first: `csv` and
one INSERT per row.
"""

from __future__ import annotations

import argparse
import csv
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, text

from bench.ground import Ground, on_postgres, on_sqlite
from subscribers import queries
from subscribers.address import parse
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare
from subscribers.segment import queries as segments
from subscribers.tables import consents, subscribers, subscriptions
from subscribers.transfer.bulk import Row, insert_rows, moment_text, new_ids
from subscribers.transfer.exporting import export_csv
from subscribers.transfer.importing import BATCH, import_people
from subscribers.transfer.model import Import
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


@dataclass(frozen=True, kw_only=True)
class Lot:
    """Made-up people with these numbers."""

    numbers: range

    def batches(self) -> Iterator[range]:
        """Their numbers in batches as large as the import's."""
        for start in range(self.numbers.start, self.numbers.stop, BATCH):
            yield range(start, min(start + BATCH, self.numbers.stop))

    def write(self, path: Path) -> None:
        """A CSV of them."""
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["email", "name", "plan", "score"])
            for number in self.numbers:
                rows.writerow([address(number), f"Name {number}", plan(number), number % 100])


def address(number: int) -> str:
    """A person's address."""
    return f"person{number}@d{number % 500}.example.org"


def plan(number: int) -> str:
    """A person's plan."""
    return "pro" if number % 3 else "free"


def spent(ground: Ground) -> tuple[float, float]:
    """Seconds on the clock, and seconds of CPU that this process and the server have used."""
    return time.perf_counter(), time.process_time() + ground.server_cpu


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


def slow(ground: Ground, path: Path) -> float:
    """Rows per second of `csv` and one INSERT into each table per row, in one transaction."""
    began, count = time.perf_counter(), 0
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
    return count / (time.perf_counter() - began)


def imported(ground: Ground, path: Path, rows: int) -> tuple[float, float]:
    """Seconds and CPU seconds of a whole import."""
    order = Import(newsletter=ground.newsletter, keyring=ground.keyring, now=datetime.now(UTC))
    began, busy = spent(ground)
    with path.open("rb") as file:
        report = import_people(ground.database, file, order)
    ended, done = spent(ground)
    assert report.added == rows, report
    return ended - began, done - busy


def counted(ground: Ground, words: str) -> tuple[int, float]:
    """How many people a segment has, and the seconds that counting took."""
    with ground.database.read() as session:
        tree = segments.read(session, words)
        began = time.perf_counter()
        size = segments.count(session, ground.newsletter.id, tree, now=datetime.now(UTC))
        return size, time.perf_counter() - began


def single(ground: Ground, *, times: int = 50) -> dict[str, float]:
    """Milliseconds of each thing done with one person, the median of so many, commit and all."""
    took: dict[str, list[float]] = {}
    for number in range(times):
        who = parse(f"single{number}@single.example")
        for name, act in _acts(ground, who.as_given).items():
            began = time.perf_counter()
            act()
            took.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
    return {name: sorted(all_)[len(all_) // 2] for name, all_ in took.items()}


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
        "erase": writing(lambda s: queries.remove(s, wanted, keyring=keyring, now=now)),
    }


def exported(ground: Ground, path: Path) -> tuple[float, float]:
    """Rows per second of an export, and this process's memory in MiB at its most so far."""
    began = time.perf_counter()
    with path.open("w", encoding="utf-8", newline="") as file, ground.database.read() as session:
        count = export_csv(session, ground.newsletter.id, file)
    return count / (time.perf_counter() - began), peak()


def peak() -> float:
    """The most memory that this process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(name: str, ground: Ground, rows: int, folder: Path) -> None:
    """Measure one database and print each figure as it comes."""
    with ground.database.write() as session:
        wanted = (
            Definition(name="plan", kind=Kind.TEXT),
            Definition(name="score", kind=Kind.NUMBER),
        )
        declare(session, wanted, now=datetime.now(UTC))
    share = rows // 4
    file = folder / f"{name}.csv"
    took, cpu = {"limit": 0.0, "import": 0.0}, {"limit": 0.0, "import": 0.0}
    # There and back, so that a slow minute and the growing indexes fall on both alike.
    for start, what in zip(
        range(0, rows, share), ("limit", "import", "import", "limit"), strict=False
    ):
        lot = Lot(numbers=range(start, start + share))
        if what == "import":
            lot.write(file)
        seconds, busy = limit(ground, lot) if what == "limit" else imported(ground, file, share)
        took[what], cpu[what] = took[what] + seconds, cpu[what] + busy
    for what in took:
        speed, cost = 2 * share / took[what], cpu[what] / (2 * share) * 1e6
        print(f"{name}: {what} {speed:,.0f} rows/s, {cost:.0f} us of CPU a row")
    ratios = took["limit"] / took["import"], cpu["limit"] / cpu["import"]
    print(
        f"{name}: import at {ratios[0]:.2f} of the limit's speed, {ratios[1]:.2f} by CPU;", end=""
    )
    print(f" {peak():.0f} MiB at most", flush=True)
    Lot(numbers=range(rows, rows + _SLOW)).write(file)
    print(f"{name}: csv and an INSERT per row: {slow(ground, file):,.0f} rows/s")
    with ground.database.write() as session:
        session.execute(text("ANALYZE"))
    for words in _SEGMENTS:
        counted(ground, words)
        size, seconds = counted(ground, words)
        print(f"{name}: {words}: {size:,} people in {seconds:.2f} s", flush=True)
    for act, milliseconds in single(ground).items():
        print(f"{name}: {act} one person: {milliseconds:.1f} ms", flush=True)
    speed, memory = exported(ground, file)
    print(f"{name}: export {speed:,.0f} rows/s, {memory:.0f} MiB", flush=True)


def main() -> None:
    """Measure SQLite, and PostgreSQL where there is one."""
    parser = argparse.ArgumentParser(prog="python -m bench.people")
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many people")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="pressrun-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        measure("SQLite", stack.enter_context(on_sqlite(folder)), rows, folder)
        try:
            measure("PostgreSQL", stack.enter_context(on_postgres(folder)), rows, folder)
        except ServiceMissing as exc:
            print(f"LEFT OUT: PostgreSQL: {exc}")


if __name__ == "__main__":
    main()
