"""How fast reports are taken in and applied: `python -m bench.intake [--quick] [--out FILE]`.

A real `mailer web` on PostgreSQL with fsync, and a generator on the same cores: batches as
providers send them, then requests of one event each, then those at half of their pace.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select
from standardwebhooks.webhooks import Webhook

from bench.ground import Ground, on_postgres
from mailer.campaign.tables import campaigns
from mailer.delivery.tables import deliveries
from mailer.feedback.tables import intake
from subscribers.tables import events
from subscribers.token import make_verp
from tests.services.process import free_port, wait_for_port

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
BATCH = 500
CONNECTIONS = 16
_PATIENCE = 120.0


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
        tokens = _copies(ground, plan.copies)
        with _web(ground) as port:
            batches = [_batch(tokens, n) for n in range(plan.batches)]
            taken, applied = _send(ground, port, batches)
            in_batches = plan.batches * BATCH
            singles = [_single(tokens, n) for n in range(plan.singles)]
            single_taken, single_applied = _send(ground, port, singles)
            half = 0.5 * plan.singles / single_taken
            later = [
                _single(tokens, plan.singles + n) for n in range(int(half * plan.half_seconds))
            ]
            answered = sorted(asyncio.run(_paced(port, later, half)))
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


def _copies(ground: Ground, count: int) -> list[str]:
    """People, each with a copy that was sent; gives the Return-Paths of the copies."""
    ground.add_people(count)
    now = datetime.now(UTC)
    with ground.database.write() as session:
        campaign = session.execute(
            insert(campaigns)
            .values(
                kind="issue", newsletter_id=ground.newsletter.id, edition=0, checksum="bench",
                subject="Bench", state="finished", due_at=now, timezone="UTC", created_at=now,
                alive_at=now, audience=count, leave_out=[],
            )
            .returning(campaigns.c.id)
        ).scalar_one()  # fmt: skip
        session.execute(
            insert(deliveries),
            [
                {
                    "id": n, "campaign_id": campaign, "kind": "issue", "subscriber_id": n,
                    "address_hash": n.to_bytes(16), "lane": "other", "state": "sent",
                    "attempt": 1, "changed_at": now,
                }
                for n in range(1, count + 1)
            ],
        )  # fmt: skip
    return [make_verp(ground.keyring, n) for n in range(1, count + 1)]


@contextmanager
def _web(ground: Ground) -> Iterator[int]:
    """The web process as it is shipped, on a free port."""
    port = free_port()
    log = ground.folder / "web.log"
    with log.open("ab") as output:
        web = subprocess.Popen(
            [sys.executable, "-m", "mailer", "web", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ground.folder,
            env={
                "PRESSRUN_DATABASE_URL": ground.url,
                "PRESSRUN_KEYS_FILE": str(ground.keys),
                "PRESSRUN_WEB__GENERIC_SECRET": SECRET,
            },
        )
    try:
        wait_for_port(port, web, log)
        yield port
    finally:
        web.terminate()
        web.wait(30)


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
    asyncio.run(_flat_out(port, requests))
    taken = time.monotonic() - began
    _wait_until_applied(ground)
    return taken, time.monotonic() - began


async def _flat_out(port: int, requests: Sequence[bytes]) -> None:
    waiting = iter(requests)

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            await _ask(reader, writer, request)
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))


async def _paced(port: int, requests: Sequence[bytes], rate: float) -> list[float]:
    """Send at a steady pace, whatever the answers take; seconds from due time to answer."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS * 2):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    began = time.monotonic()

    async def one(number: int, request: bytes) -> float:
        due = began + number / rate
        await asyncio.sleep(due - time.monotonic())
        connection = await free.get()
        await _ask(*connection, request)
        free.put_nowait(connection)
        return time.monotonic() - due

    return await asyncio.gather(*(one(n, request) for n, request in enumerate(requests)))


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length))
    if not head.startswith(b"HTTP/1.1 202"):
        raise RuntimeError(f"refused: {head[:60]!r} {body[:200]!r}")


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
