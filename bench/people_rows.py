"""Made-up people, and the import of a file of them."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.ground import Ground
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare
from subscribers.transfer.importing import BATCH, import_people
from subscribers.transfer.model import Import


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


def imported(ground: Ground, path: Path, rows: int) -> tuple[float, float]:
    """Seconds and CPU seconds of a whole import."""
    order = Import(newsletter=ground.newsletter, keyring=ground.keyring, now=datetime.now(UTC))
    began, busy = spent(ground)
    with path.open("rb") as file:
        report = import_people(ground.database, file, order)
    ended, done = spent(ground)
    assert report.added == rows, report
    return ended - began, done - busy


def declare_attributes(ground: Ground) -> None:
    """Let people have a plan and a score."""
    wanted = Definition(name="plan", kind=Kind.TEXT), Definition(name="score", kind=Kind.NUMBER)
    with ground.database.write() as session:
        declare(session, wanted, now=datetime.now(UTC))
