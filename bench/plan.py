"""What one run measures, in which order.

Rounds are interleaved: a slow minute of a shared machine falls on all figures alike.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import content, limits, memory, peers, rendering, sending, stages
from bench.ground import Ground, on_postgres, on_sqlite
from bench.model import Case, Figures, Signature
from bench.sink import Sink, running
from tests.services.process import ServiceMissing


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured; seconds are those of one window."""

    rounds: int
    seconds: float
    stage_seconds: float
    people: int
    lists: tuple[int, ...]
    #: Database, content, signature, processes.
    cases: tuple[tuple[str, str, Signature, int], ...]


FULL = Extent(
    rounds=3,
    seconds=1.5,
    stage_seconds=0.5,
    people=90_000,
    lists=(1_000, 20_000),
    cases=(
        ("SQLite", "en", Signature.NONE, 1),
        ("SQLite", "en", Signature.NONE, 2),
        ("SQLite", "en", Signature.ED25519, 1),
        ("SQLite", "en", Signature.RSA, 1),
        ("SQLite", "en", Signature.RSA, 2),
        ("PostgreSQL", "en", Signature.NONE, 1),
        ("PostgreSQL", "en", Signature.NONE, 2),
        ("PostgreSQL", "en", Signature.ED25519, 1),
        ("PostgreSQL", "en", Signature.RSA, 1),
        ("PostgreSQL", "en", Signature.RSA, 2),
        ("SQLite", "zh", Signature.NONE, 1),
        ("SQLite", "zh", Signature.RSA, 1),
    ),
)
QUICK = Extent(
    rounds=1,
    seconds=0.5,
    stage_seconds=0.1,
    people=4_000,
    lists=(200, 600),
    cases=(
        ("SQLite", "en", Signature.RSA, 2),
        ("PostgreSQL", "zh", Signature.NONE, 1),
    ),
)

#: Finished messages that the peers send over and over.
_FINISHED = 200


@dataclass(frozen=True, kw_only=True)
class Place:
    """A database with one waiting campaign for each content."""

    ground: Ground
    campaigns: dict[str, int]


def measure(extent: Extent) -> Figures:
    """Measure everything; tells on standard output how far it is."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="pressrun-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        sink = stack.enter_context(running(folder))
        figures.about["sink"] = sink.kind
        figures.about["load"] = f"{os.getloadavg()[0]:.1f}"
        content.write_keys(folder)
        places = {}
        for kind, ground in _grounds(folder, stack):
            print(f"{kind}: {extent.people} people and two campaigns", flush=True)
            places[kind] = _settle(ground, extent.people)
        _write_finished(folder, figures)
        for number in range(extent.rounds):
            _round(number, extent, figures, places, folder, sink)
        for recipients in extent.lists:
            print(f"memory: a list of {recipients}", flush=True)
            figures.memory.append(memory.course(recipients, folder, sink, processes=2))
    return figures


def _cases(extent: Extent, places: dict[str, Place]) -> list[Case]:
    return [
        Case(database=database, content=issue, signature=signature, processes=processes)
        for database, issue, signature, processes in extent.cases
        if database in places
    ]


def _grounds(folder: Path, stack: ExitStack) -> Iterator[tuple[str, Ground]]:
    yield "SQLite", stack.enter_context(on_sqlite(folder))
    try:
        yield "PostgreSQL", stack.enter_context(on_postgres(folder))
    except ServiceMissing as exc:
        print(f"LEFT OUT: PostgreSQL: {exc}", flush=True)


def _settle(ground: Ground, people: int) -> Place:
    ground.add_people(people)
    campaigns = {name: ground.plan_campaign(name) for name in content.ISSUES}
    return Place(ground=ground, campaigns=campaigns)


def _write_finished(folder: Path, figures: Figures) -> None:
    for name in content.ISSUES:
        made_by = content.composer(content.rendering(name), Signature.NONE, folder)
        messages = content.messages(made_by, _FINISHED)
        figures.sizes[name] = len(messages[0].content)
        if name == "en":
            peers.write_messages(messages, folder / "finished.json")


def _round(
    number: int,
    extent: Extent,
    figures: Figures,
    places: dict[str, Place],
    folder: Path,
    sink: Sink,
) -> None:
    _measure_limits(extent, figures, places)
    _measure_stages(extent, figures, places, folder)
    for name in peers.CONNECTIONS:
        watched = peers.run(name, sink.port, extent.seconds, folder / "finished.json")
        figures.peers.setdefault(name, []).append(watched)
        print(f"round {number + 1}: {name}: {watched.rate:.0f} messages/s", flush=True)
    for case in _cases(extent, places):
        place = places[case.database]
        watched = sending.window(
            case, place.ground, place.campaigns[case.content], sink, seconds=extent.seconds
        )
        figures.sent.setdefault(case, []).append(watched)
        words = f"{case.database}, {case.content}, {case.signature}, {case.processes} processes"
        print(f"round {number + 1}: {words}: {watched.rate:.0f} messages/s", flush=True)


def _measure_limits(extent: Extent, figures: Figures, places: dict[str, Place]) -> None:
    for signature in (Signature.RSA, Signature.ED25519):
        if (speed := limits.signatures(signature)) is not None:
            figures.limits.setdefault(signature, []).append(speed)
    for kind, place in places.items():
        cost = limits.bare_inserts(place.ground, seconds=extent.stage_seconds)
        figures.stages.setdefault(("bare INSERT", kind), []).append(cost)


def _measure_stages(
    extent: Extent, figures: Figures, places: dict[str, Place], folder: Path
) -> None:
    for name in content.ISSUES:
        figures.rendered.setdefault(name, []).append(rendering.once(name))
        rendered = content.rendering(name)
        for signature in Signature:
            made_by = content.composer(rendered, signature, folder)
            cost = stages.compose(made_by, seconds=extent.stage_seconds)
            figures.stages.setdefault((f"compose, {name}", signature), []).append(cost)
    for kind, place in places.items():
        cost = stages.keep_books(place.ground, place.campaigns["en"], seconds=extent.stage_seconds)
        figures.stages.setdefault(("ledger", kind), []).append(cost)
