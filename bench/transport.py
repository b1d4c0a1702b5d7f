"""Finished messages of the sample issue to a fast sink: what handing over alone costs a client.

`python -m bench.transport [--quick]` prints a table. The peers: aiosmtplib's `sendmail`, and
Postfix's `smtp-source`, which is C and writes one message over and over.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import handing, peers, proxy, smtpsource
from bench import sink as fast_sink
from bench.certificate import write_certificate
from bench.handing import Manner
from bench.model import Spread, Window
from mailer.delivery.smtp import Way
from tests.services import sink as chunking_sink

#: The round trip of a far relay, in seconds.
FAR = 0.05


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where the sinks listen: Postfix's, ours with CHUNKING, in TLS, and ours far away."""

    postfix: int
    chunking: int
    tls: int
    far: int


def main() -> None:
    """Measure in interleaved rounds, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.transport")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    quick = parser.parse_args().quick
    rounds, count = (1, 500) if quick else (3, 3_000)
    seen: dict[str, list[Window]] = {}
    with tempfile.TemporaryDirectory(prefix="pressrun-transport-") as name:
        folder = Path(name)
        finished, size = peers.write_finished(folder)
        for figures in _measure(folder, finished, size, rounds=rounds, count=count):
            for what, window in figures.items():
                seen.setdefault(what, []).append(window)
    _tell(seen)


def _measure(
    folder: Path, finished: Path, size: int, *, rounds: int, count: int
) -> list[dict[str, Window]]:
    log = folder / "sink.jsonl"
    pem = write_certificate(folder)
    with (
        fast_sink.running(folder) as postfix,
        chunking_sink.running(log) as (chunking, _),
        chunking_sink.running(log, certificate=pem) as (tls, _),
        proxy.running(chunking, round_trip=FAR) as far,
    ):
        ports = Ports(postfix=postfix.port, chunking=chunking, tls=tls, far=far)
        table = _table(ports, finished, size, count=count)
        return [{what: watch() for what, watch in table.items()} for _ in range(rounds)]


def _table(
    ports: Ports, finished: Path, size: int, *, count: int
) -> dict[str, Callable[[], Window]]:
    def ours(port: int, number: int, manner: Manner) -> Callable[[], Window]:
        return lambda: handing.run(manner, port, finished, number)

    pipelined, chunked = Manner(way=Way.PIPELINED), Manner(way=Way.CHUNKED)
    return {
        "smtp-source (C), DATA": lambda: smtpsource.run(ports.postfix, size, count),
        "aiosmtplib sendmail": lambda: peers.run("aiosmtplib", ports.postfix, 1.5, finished),
        "ours, DATA": ours(ports.postfix, count, pipelined),
        "smtp-source (C), DATA, chunking sink": lambda: smtpsource.run(ports.chunking, size, count),
        "ours, DATA, chunking sink": ours(ports.chunking, count, pipelined),
        "ours, BDAT, chunking sink": ours(ports.chunking, count, chunked),
        "ours, BDAT, TLS": ours(ports.tls, count, Manner(way=Way.CHUNKED, tls="implicit")),
        "50 ms, one connection, one at a time": ours(
            ports.far, max(10, count // 200), Manner(way=Way.LOCKSTEP, connections=1)
        ),
        "50 ms, one connection, DATA": ours(
            ports.far, max(30, count // 50), Manner(way=Way.PIPELINED, connections=1)
        ),
        "50 ms, one connection, BDAT": ours(
            ports.far, max(500, count // 2), Manner(way=Way.CHUNKED, connections=1)
        ),
    }


def _tell(seen: dict[str, list[Window]]) -> None:
    print(f"{'client':<40} {'messages/s':>11} {'CPU s per 10,000':>17}  (least to most)")
    for what, windows in seen.items():
        rate = Spread.of(window.rate for window in windows)
        cpu = Spread.of(window.cpu_per_10k for window in windows)
        span = f"({cpu.least:.2f} to {cpu.most:.2f})"
        print(f"{what:<40} {rate.median:>11.1f} {cpu.median:>17.2f}  {span}")


if __name__ == "__main__":
    main()
