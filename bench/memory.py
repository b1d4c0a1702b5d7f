"""A worker's memory while it sends a whole list: the same for a short list and a long one."""

from __future__ import annotations

import time
from pathlib import Path

from bench.cpu import resident
from bench.ground import on_sqlite
from bench.model import Memory, Signature
from bench.sending import working
from bench.sink import Sink
from mailer.campaign.model import CampaignState


def course(recipients: int, folder: Path, sink: Sink, *, processes: int) -> Memory:
    """Send a list of this size to its end; the peak is the largest of all workers."""
    seen: list[tuple[int, float]] = []
    with on_sqlite(folder, f"list-{recipients}") as ground:
        ground.add_people(recipients)
        campaign = ground.plan_campaign("en")
        with working(ground, sink, Signature.NONE, processes) as workers:
            ground.set_state(campaign, CampaignState.SENDING)
            while not seen or seen[-1][0] < recipients:
                time.sleep(0.1 if recipients <= 10_000 else 0.5)
                seen.append((ground.durable(), max(resident(worker) for worker in workers)))
    return Memory(recipients=recipients, course=seen, peak=max(mib for _, mib in seen))


def of_one(recipients: int, sent: int, folder: Path, sink: Sink) -> float:
    """Peak MiB of one worker that sends so many of a list, on SQLite."""
    peak = 0.0
    with on_sqlite(folder, f"one-{recipients}") as ground:
        ground.add_many_people(recipients)
        campaign = ground.plan_campaign("en")
        with working(ground, sink, Signature.NONE, 1) as workers:
            ground.set_state(campaign, CampaignState.SENDING)
            while ground.durable() < min(sent, recipients):
                time.sleep(0.2)
                peak = max(peak, resident(workers[0]))
    return peak
