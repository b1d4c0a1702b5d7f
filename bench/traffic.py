"""Requests at a real web process: copies they are about, flat out, and at a steady pace."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import insert

from bench.ground import Ground
from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind
from mailer.delivery.tables import deliveries
from mailer.render.model import Rendering
from subscribers.model import Tracking
from tests.services.process import free_port, wait_for_port

CONNECTIONS = 16


def sent_copies(
    ground: Ground, count: int, rendering: Rendering, tracking: Tracking = Tracking.OFF
) -> int:
    """People, each with a copy of the same number that was sent; gives the campaign's id."""
    ground.add_people(count)
    now = datetime.now(UTC)
    with ground.database.write() as session:
        campaign = campaign_queries.add(
            session, rendering, kind=CampaignKind.ISSUE, newsletter_id=ground.newsletter.id,
            issue_number=None, checksum="bench", edition=0, due_at=now, timezone="UTC",
            tracking=tracking, now=now,
        )  # fmt: skip
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
    return campaign


@contextmanager
def web(ground: Ground, extra: Mapping[str, str] | None = None) -> Iterator[int]:
    """The web process as it is shipped, on a free port."""
    port = free_port()
    log = ground.folder / "web.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mailer", "web", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ground.folder,
            env={
                "PRESSRUN_DATABASE_URL": ground.url,
                "PRESSRUN_KEYS_FILE": str(ground.keys),
                **(extra or {}),
            },
        )
    try:
        wait_for_port(port, process, log)
        yield port
    finally:
        process.terminate()
        process.wait(30)


async def flat_out(port: int, requests: Sequence[bytes], *, status: int) -> None:
    """Send as fast as they are answered; raises RuntimeError where one is answered otherwise."""
    waiting = iter(requests)

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            await _ask(reader, writer, request, status)
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))


async def paced(port: int, requests: Sequence[bytes], rate: float, *, status: int) -> list[float]:
    """Send at a steady pace, whatever the answers take; seconds from due time to answer, sorted."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS * 2):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    began = time.monotonic()

    async def one(number: int, request: bytes) -> float:
        due = began + number / rate
        await asyncio.sleep(due - time.monotonic())
        connection = await free.get()
        await _ask(*connection, request, status)
        free.put_nowait(connection)
        return time.monotonic() - due

    answered = await asyncio.gather(*(one(n, request) for n, request in enumerate(requests)))
    return sorted(answered)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, status: int
) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length))
    if not head.startswith(b"HTTP/1.1 %d " % status):
        raise RuntimeError(f"refused: {head[:60]!r} {body[:200]!r}")
