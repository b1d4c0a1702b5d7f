"""From claim to durable outcome: signed, unsigned, by two processes, with TLS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import content, limits, sending
from bench.certificate import write_certificate
from bench.ground import Ground, on_postgres, on_sqlite
from bench.model import Case, Signature, Window
from bench.sink import Sink, running
from bench.targets.model import Extent, Left, Line
from tests.services import sink as chunking_sink
from tests.services.process import ServiceMissing

#: Where it is sent from: the databases, each with the contents that are sent.
_PLACES = {"SQLite": ("en", "zh"), "PostgreSQL": ("en",)}


@dataclass
class Rounds:
    """Windows by what was sent, a list entry a round."""

    windows: dict[tuple[str, str, int], list[Window]] = field(default_factory=dict)
    openssl: list[float] = field(default_factory=list)

    def add(self, database: str, issue: str, processes: int, window: Window) -> None:
        """One more round's window."""
        self.windows.setdefault((database, issue, processes), []).append(window)


def rsa(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """RSA-2048: of the signatures that OpenSSL makes in as much CPU, and two processes."""
    rounds = Rounds()
    with ExitStack() as stack:
        sink = stack.enter_context(running(folder))
        content.write_keys(folder)
        places, left = _places(stack, folder, extent.people)
        for _ in range(extent.rounds):
            _rsa_round(rounds, places, sink, extent)
    return [*_rsa_lines(rounds), *left]


def _rsa_round(rounds: Rounds, places: dict[str, _Place], sink: Sink, extent: Extent) -> None:
    for database, place in places.items():
        for issue in place.campaigns:
            before = limits.signatures(Signature.RSA)
            for processes in (1, 2) if issue == "en" else (1,):
                window = place.window(issue, Signature.RSA, sink, extent, processes)
                rounds.add(database, issue, processes, window)
            after = limits.signatures(Signature.RSA)
            if before is not None and after is not None and issue == "en":
                rounds.openssl.append((before + after) / 2)


def _rsa_lines(rounds: Rounds) -> Iterator[Line | Left]:
    if not rounds.openssl:
        yield Left(what="RSA-2048", why="there is no `openssl` to compare with")
        return
    openssl = sorted(rounds.openssl)[len(rounds.openssl) // 2]
    for (database, issue, processes), windows in rounds.windows.items():
        if processes == 1:
            yield Line(
                what=f"RSA-2048 end to end, {database}, {issue}: messages per worker CPU second,"
                " openssl's signatures = 1",
                bound=0.75,
                least=True,
                values=[window.per_cpu_second / openssl for window in windows],
                note=f"openssl {openssl:,.0f}/s",
            )
            continue
        alone = rounds.windows[database, issue, 1]
        yield Line(
            what=f"RSA-2048 end to end, {database}: messages/s of two processes, one = 1",
            bound=1.8,
            least=True,
            values=[two.rate / one.rate for one, two in zip(alone, windows, strict=True)],
            note="sink and server share the CPUs",
        )


def unsigned(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """Everything but the signature: a worker's CPU for an unsigned message."""
    rounds = Rounds()
    with ExitStack() as stack:
        sink = stack.enter_context(running(folder))
        places, left = _places(stack, folder, extent.people)
        for _ in range(extent.rounds):
            for database, place in places.items():
                for issue in place.campaigns:
                    window = place.window(issue, Signature.NONE, sink, extent, 1)
                    rounds.add(database, issue, 1, window)
    lines = [
        Line(
            what=f"everything but the signature, {database}, {issue}: worker CPU a message",
            bound=250,
            least=False,
            values=[1e6 / window.per_cpu_second for window in windows],
            unit=" µs",
            form="{:,.0f}",
        )
        for (database, issue, _), windows in rounds.windows.items()
    ]
    return [*lines, *left]


def tls(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """RSA-2048 end to end with TLS to the relay, against the same without."""
    pem = write_certificate(folder)
    content.write_keys(folder)
    ratios = []
    with ExitStack() as stack:
        log = folder / "sink.jsonl"
        plain, _ = stack.enter_context(chunking_sink.running(log))
        secret, _ = stack.enter_context(chunking_sink.running(log, certificate=pem))
        places, _left = _places(stack, folder, extent.people, only="SQLite")
        place = places["SQLite"]
        for _ in range(extent.rounds):
            without = place.window("en", Signature.RSA, Sink(port=plain, kind=""), extent, 1)
            with_it = place.window(
                "en", Signature.RSA, Sink(port=secret, kind="", tls="implicit"), extent, 1
            )
            ratios.append(with_it.per_cpu_second / without.per_cpu_second)
    return [
        Line(
            what="with TLS, RSA-2048 end to end, SQLite: messages per CPU second, without = 1",
            bound=0.85,
            least=True,
            values=ratios,
        )
    ]


@dataclass(frozen=True, kw_only=True)
class _Place:
    database: str
    ground: Ground
    campaigns: dict[str, int]

    def window(
        self, issue: str, signature: Signature, sink: Sink, extent: Extent, processes: int
    ) -> Window:
        case = Case(database=self.database, content=issue, signature=signature, processes=processes)
        campaign = self.campaigns[issue]
        return sending.window(case, self.ground, campaign, sink, seconds=extent.seconds)


def _places(
    stack: ExitStack, folder: Path, people: int, *, only: str | None = None
) -> tuple[dict[str, _Place], list[Left]]:
    places, left = {}, []
    for database, issues in _PLACES.items():
        if only not in (None, database):
            continue
        try:
            ground = stack.enter_context(
                on_sqlite(folder) if database == "SQLite" else on_postgres(folder)
            )
        except ServiceMissing as exc:
            left.append(Left(what=f"on {database}", why=str(exc)))
            continue
        ground.add_people(people)
        campaigns = {issue: ground.plan_campaign(issue) for issue in issues}
        places[database] = _Place(database=database, ground=ground, campaigns=campaigns)
    return places, left
