"""How fast reports are taken in and applied: `python -m bench.intake [--quick] [--out FILE]`.

A real `mailer web` on PostgreSQL with fsync, and a generator on the same cores: batches as
providers send them, then requests of one event each, then those at half of their pace.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook

from bench import content
from bench.ground import Ground, on_postgres
from bench.traffic import flat_out, paced, sent_copies, web
from mailer.feedback.tables import intake
from subscribers.tables import events
from subscribers.token import make_verp

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
BATCH = 500
_PATIENCE = 120.0
_TAKEN = 202


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many copies there are, and how much is reported of them."""

    copies: int
    batches: int
    singles: int
    half_seconds: float


FULL = Plan(copies=20_000, batches=80, singles=6_000, half_seconds=10.0)
QUICK = Plan(copies=500, batches=2, singles=100, half_seconds=1.0)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Per second: taken in (answered, durable) and applied; milliseconds of answers at half."""

    batch_events_taken: float
    batch_events_applied: float
    single_requests_taken: float
    single_requests_applied: float
    half_rate: float
    half_p50: float
    half_p99: float


def measure(plan: Plan, folder: Path) -> Figures:
    """Measure all of it; raises RuntimeError where anything was lost or refused."""
    with on_postgres(folder) as ground:
        sent_copies(ground, plan.copies, content.rendering("en"))
        tokens = [make_verp(ground.keyring, n) for n in range(1, plan.copies + 1)]
        with web(ground, {"PRESSRUN_WEB__GENERIC_SECRET": SECRET}) as port:
            batches = [_batch(tokens, n) for n in range(plan.batches)]
            taken, applied = _send(ground, port, batches)
            in_batches = plan.batches * BATCH
            singles = [_single(tokens, n) for n in range(plan.singles)]
            single_taken, single_applied = _send(ground, port, singles)
            half = 0.5 * plan.singles / single_taken
            later = [
                _single(tokens, plan.singles + n) for n in range(int(half * plan.half_seconds))
            ]
            answered = asyncio.run(paced(port, later, half, status=_TAKEN))
            _wait_until_applied(ground)
        _see_all_recorded(ground, in_batches + plan.singles + len(later))
    return Figures(
        batch_events_taken=in_batches / taken,
        batch_events_applied=in_batches / applied,
        single_requests_taken=plan.singles / single_taken,
        single_requests_applied=plan.singles / single_applied,
        half_rate=half,
        half_p50=answered[len(answered) // 2] * 1000,
        half_p99=answered[int(len(answered) * 0.99)] * 1000,
    )


def _event(tokens: Sequence[str], number: int, name: str) -> dict[str, object]:
    """Nine in ten were delivered; the rest is deferred, or a full mailbox."""
    kind = {0: "bounced", 1: "deferred"}.get(number % 20, "delivered")
    return {
        "id": f"{name}-{number}",
        "type": kind,
        "at": datetime.now(UTC).isoformat(),
        "delivery": tokens[number % len(tokens)],
        **({"hard": False, "text": "452 4.2.2 mailbox full"} if kind == "bounced" else {}),
    }


def _batch(tokens: Sequence[str], number: int) -> bytes:
    numbers = range(number * BATCH, (number + 1) * BATCH)
    return _request([_event(tokens, n, "batch") for n in numbers], f"batch-{number}")


def _single(tokens: Sequence[str], number: int) -> bytes:
    return _request(_event(tokens, number, "single"), f"single-{number}")


def _request(content: object, name: str) -> bytes:
    """A signed request as bytes, so that sending it costs the generator next to nothing."""
    body = json.dumps(content)
    now = datetime.now(UTC)
    head = (
        "POST /webhooks/generic HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nwebhook-id: {name}\r\n"
        f"webhook-timestamp: {int(now.timestamp())}\r\n"
        f"webhook-signature: {Webhook(SECRET).sign(name, now, body)}\r\n\r\n"
    )
    return (head + body).encode()


def _send(ground: Ground, port: int, requests: Sequence[bytes]) -> tuple[float, float]:
    """Send as fast as they are answered; seconds until the last answer, and until applied."""
    began = time.monotonic()
    asyncio.run(flat_out(port, requests, status=_TAKEN))
    taken = time.monotonic() - began
    _wait_until_applied(ground)
    return taken, time.monotonic() - began


def _wait_until_applied(ground: Ground) -> None:
    _wait(lambda: not _count(ground, select(func.count()).where(intake.c.applied_at.is_(None))))


def _see_all_recorded(ground: Ground, expected: int) -> None:
    found = _count(ground, select(func.count()).select_from(events))
    if found != expected:
        raise RuntimeError(f"{expected} events were reported, {found} are recorded")


def _count(ground: Ground, question: object) -> int:
    with ground.database.read() as session:
        found: int = session.execute(question).scalar_one()  # type: ignore[call-overload]
        return found


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("the requests are not applied; see web.log")
        time.sleep(0.05)


def main() -> None:
    """Measure, print, and write the figures as JSON where asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.intake")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pressrun-intake-") as folder:
        figures = measure(QUICK if options.quick else FULL, Path(folder))
    for name, value in asdict(figures).items():
        print(f"{name:26} {value:10.1f}")
    if options.out:
        options.out.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
