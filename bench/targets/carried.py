"""Transport of finished messages, and one connection to a relay that is 50 ms away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import gopeer, handing, peers, proxy, sending, smtpsource
from bench import sink as fast_sink
from bench.ground import on_sqlite
from bench.handing import Manner
from bench.model import Signature, Spread, Window
from bench.sink import Sink
from bench.targets.model import Extent, Left, Line
from mailer.campaign.model import CampaignState
from mailer.delivery.smtp import Way
from tests.services import sink as chunking_sink

#: The round trip of a far relay, in seconds.
FAR = 0.05

Watches = dict[str, Callable[[], Window]]


def transport(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """Client CPU a message: ours against smtp-source, Go's net/smtp and aiosmtplib."""
    left: list[Left] = []
    seen: dict[str, list[Window]] = {}
    finished, size = peers.write_finished(folder)
    with ExitStack() as stack:
        plain = stack.enter_context(fast_sink.running(folder)).port
        chunking, _ = stack.enter_context(chunking_sink.running(folder / "sink.jsonl"))
        watches = _watches(plain, chunking, finished, size, extent)
        for _ in range(extent.rounds):
            for name, watch in [*watches.items()]:
                try:
                    seen.setdefault(name, []).append(watch())
                except (smtpsource.Missing, gopeer.GoMissing) as exc:
                    left.append(Left(what=f"transport, beside {name}", why=str(exc)))
                    del watches[name], seen[name]
    return [*_transport_lines(seen), *left]


def _watches(plain: int, chunking: int, finished: Path, size: int, extent: Extent) -> Watches:
    count, seconds = extent.messages, extent.seconds / 2
    data, bdat = Manner(way=Way.PIPELINED), Manner(way=Way.CHUNKED)
    return {
        "smtp-source": lambda: smtpsource.run(plain, size, count),
        "ours, DATA": lambda: handing.run(data, plain, finished, count),
        "smtp-source at the sink with CHUNKING": lambda: smtpsource.run(chunking, size, count),
        "ours, BDAT": lambda: handing.run(bdat, chunking, finished, count),
        "Go net/smtp": lambda: gopeer.run(plain, finished, max(100, count // 3)),
        "aiosmtplib sendmail": lambda: peers.run("aiosmtplib", plain, seconds, finished),
    }


def _transport_lines(seen: dict[str, list[Window]]) -> list[Line]:
    bounds = (
        ("ours, DATA", "smtp-source", 1.0, False),
        ("ours, BDAT", "smtp-source at the sink with CHUNKING", 1.0, False),
        ("ours, DATA", "Go net/smtp", 10.0, True),
        ("ours, BDAT", "Go net/smtp", 10.0, True),
        ("ours, DATA", "aiosmtplib sendmail", 40.0, True),
        ("ours, BDAT", "aiosmtplib sendmail", 40.0, True),
    )
    return [
        Line(
            what=f"transport, CPU a message: {peer} over {ours}"
            if least
            else f"transport, CPU a message: {ours} over {peer}",
            bound=bound,
            least=least,
            values=[
                b.cpu_per_10k / a.cpu_per_10k if least else a.cpu_per_10k / b.cpu_per_10k
                for a, b in zip(seen[ours], seen[peer], strict=True)
            ],
            unit=" ×",
            note=f"{_median(seen[ours]):.0f} and {_median(seen[peer]):.0f} µs",
        )
        for ours, peer, bound, least in bounds
        if peer in seen
    ]


def _median(windows: Sequence[Window]) -> float:
    return Spread.of(window.cpu_per_10k * 100 for window in windows).median


def far(extent: Extent, folder: Path) -> Sequence[Line | Left]:
    """Messages a second on one connection, 50 ms there and back."""
    finished, _ = peers.write_finished(folder)
    bdat = Manner(way=Way.CHUNKED, connections=1)
    data = Manner(way=Way.PIPELINED, connections=1)
    with ExitStack() as stack:
        chunking, _ = stack.enter_context(chunking_sink.running(folder / "sink.jsonl"))
        port = stack.enter_context(proxy.running(chunking, round_trip=FAR))
        few, many = max(20, extent.messages // 50), max(100, extent.messages // 2)
        rounds = range(extent.rounds)
        by_data = [handing.run(data, port, finished, few).rate for _ in rounds]
        by_bdat = [handing.run(bdat, port, finished, many).rate for _ in rounds]
        worker = [_worker(folder / f"{n}", port, extent) for n in rounds]
    where = "one connection at 50 ms round trip"
    return [
        _rate(f"{where}, CHUNKING (window 32), finished messages", 500, by_bdat),
        _rate(f"{where}, CHUNKING, a whole worker, unsigned, SQLite", 500, worker),
        _rate(f"{where}, DATA alone", 12, by_data),
    ]


def _worker(folder: Path, port: int, extent: Extent) -> float:
    """Messages a second of a worker with one connection and room for many intents."""
    folder.mkdir()
    more = {"RELAY__CONNECTIONS": "1", "SENDING__MAX_OPEN_INTENTS": "128"}
    with on_sqlite(folder) as ground:
        ground.add_people(extent.people)
        campaign = ground.plan_campaign("en")
        sink = Sink(port=port, kind="")
        with sending.working(ground, sink, Signature.NONE, 1, more=more):
            ground.set_state(campaign, CampaignState.SENDING)
            sending.wait_for(ground, min(500, extent.people // 4))
            began, before = time.monotonic(), ground.durable()
            time.sleep(extent.seconds)
            rate = (ground.durable() - before) / (time.monotonic() - began)
            ground.set_state(campaign, CampaignState.PAUSED)
            sending.wait_until_landed(ground)
    return rate


def _rate(what: str, bound: float, values: Sequence[float]) -> Line:
    return Line(what=what, bound=bound, least=True, values=values, unit="/s", form="{:,.1f}")
