"""How long a counted link takes to lead on: `python -m bench.tracking [--quick] [--out FILE]`.

A real `mailer web` on PostgreSQL with fsync, and a generator on the same cores: clicks as fast as
they are answered, then at the pace of a hundred thousand readers' best minute. Every click is
recorded meanwhile; in the end the sums must hold each of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import content
from bench.ground import Ground, on_postgres
from bench.traffic import flat_out, paced, sent_copies, web
from mailer.campaign.track import click_url
from mailer.report.queries import campaign_report
from subscribers.model import Tracking

_LED_ON = 302


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many copies there are, clicks flat out, clicks at a steady pace, and so many a second."""

    copies: int
    clicks: int
    steady: int
    rate: float


FULL = Plan(copies=10_000, clicks=5_000, steady=3_000, rate=100.0)
QUICK = Plan(copies=50, clicks=100, steady=50, rate=50.0)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Clicks answered a second; at the steady pace milliseconds from due time to answer.

    That is more than the server's own time: the generator and its socket are in it.
    """

    per_second: float
    steady_p50: float
    steady_p99: float


def measure(plan: Plan, folder: Path) -> Figures:
    """Measure; raises RuntimeError where a click leads nowhere or is not counted."""
    with on_postgres(folder) as ground:
        campaign = sent_copies(ground, plan.copies, content.rendering("en"), Tracking.FULL)
        with web(ground) as port:
            asyncio.run(flat_out(port, _clicks(ground, campaign, plan, 0, 50), status=_LED_ON))
            flat = _clicks(ground, campaign, plan, 50, plan.clicks)
            began = time.monotonic()
            asyncio.run(flat_out(port, flat, status=_LED_ON))
            rate = plan.clicks / (time.monotonic() - began)
            start = 50 + plan.clicks
            later = _clicks(ground, campaign, plan, start, plan.steady)
            answered = asyncio.run(paced(port, later, plan.rate, status=_LED_ON))
        _see_all_counted(ground, campaign, start + plan.steady)
    return Figures(
        per_second=rate,
        steady_p50=answered[len(answered) // 2] * 1000,
        steady_p99=answered[int(len(answered) * 0.99)] * 1000,
    )


def _clicks(ground: Ground, campaign: int, plan: Plan, start: int, count: int) -> list[bytes]:
    """Requests of one copy's link after the other's, as a browser makes them."""
    paths = (
        click_url("", ground.keyring, campaign, n % plan.copies + 1)
        + f"/{n // plan.copies % 3 + 1}"
        for n in range(start, start + count)
    )
    return [
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: text/html\r\nUser-Agent: Mozilla/5.0"
        " (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\r\n".encode()
        for path in paths
    ]


def _see_all_counted(ground: Ground, campaign: int, expected: int) -> None:
    with ground.database.read() as session:
        looks = campaign_report(session, campaign).looks
    if looks is None or looks.clicks.raw != expected:
        raise RuntimeError(f"{expected} clicks were made; counted: {looks}; see web.log")


def main() -> None:
    """Measure, print, and write the figures as JSON where asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracking")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pressrun-tracking-") as folder:
        figures = measure(QUICK if options.quick else FULL, Path(folder))
    for name, value in asdict(figures).items():
        print(f"{name:12} {value:10.1f}")
    if options.out:
        options.out.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
