"""End to end: `mailer worker` processes send a campaign, from claim to durable outcome."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import content
from bench.cpu import used, wait_until_idle
from bench.ground import Ground
from bench.model import Case, Signature, Window
from bench.sink import Sink
from mailer.campaign.model import CampaignState

#: Copies that each process sends before anybody looks: the campaign is compiled, connections open.
_WARM = 200


def window(case: Case, ground: Ground, campaign: int, sink: Sink, *, seconds: float) -> Window:
    """Watch fresh workers for so long in the midst of a campaign, then let what flies land."""
    with working(ground, sink, case.signature, case.processes) as workers:
        begun = ground.durable()
        ground.set_state(campaign, CampaignState.SENDING)
        wait_for(ground, begun + _WARM * case.processes)
        before = _reading(ground, workers)
        time.sleep(seconds)
        after = _reading(ground, workers)
        ground.set_state(campaign, CampaignState.PAUSED)
        wait_until_landed(ground)
    return Window(
        messages=after[0] - before[0],
        seconds=after[1] - before[1],
        cpu=after[2] - before[2],
        server_cpu=after[3] - before[3],
    )


def wait_for(ground: Ground, outcomes: int, *, seconds: float = 60) -> None:
    """Return once so many outcomes are durable."""
    deadline = time.monotonic() + seconds
    while ground.durable() < outcomes:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the workers stand still; see *.log\n{_words(ground.folder)}")
        time.sleep(0.05)


def wait_until_landed(ground: Ground) -> None:
    """Return once nothing flies any more: each intent has its outcome."""
    while ground.flying():
        time.sleep(0.02)
    # They also let go of their chunks, which the next ones would wait for.
    time.sleep(0.2)


@contextmanager
def working(
    ground: Ground,
    sink: Sink,
    signature: Signature,
    processes: int,
    *,
    more: Mapping[str, str] | None = None,
) -> Iterator[list[psutil.Process]]:
    """So many idle workers with the shipped settings, and `more`; killed when nothing flies."""
    environment = {
        **_environment(ground, sink, signature),
        **{f"PRESSRUN_{name}": value for name, value in (more or {}).items()},
    }
    started = [_start(ground, environment, n) for n in range(processes)]
    try:
        workers = [psutil.Process(each.pid) for each in started]
        wait_until_idle(workers)
        yield workers
    finally:
        for each in started:
            each.kill()
            each.wait()


def _start(ground: Ground, environment: Mapping[str, str], number: int) -> subprocess.Popen[bytes]:
    with (ground.folder / f"worker-{number}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mailer", "worker"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ground.folder,
            env=environment,
        )


def _environment(ground: Ground, sink: Sink, signature: Signature) -> dict[str, str]:
    """Everything as shipped but where to look, how to sign, and how soon to look for work."""
    dkim = content.dkim(signature, ground.folder)
    told = dkim.model_dump(exclude_none=True) if dkim else {}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PRESSRUN_")},
        "PRESSRUN_DATABASE_URL": ground.url,
        "PRESSRUN_KEYS_FILE": str(ground.keys),
        "PRESSRUN_PUBLIC_URL": content.PUBLIC_URL,
        "PRESSRUN_RELAY__HOST": "127.0.0.1",
        "PRESSRUN_RELAY__PORT": str(sink.port),
        # Nobody has vouched for the sink's certificate.
        "PRESSRUN_RELAY__TLS": sink.tls,
        "PRESSRUN_RELAY__VERIFY": "false",
        "PRESSRUN_SENDING__POLL_SECONDS": "0.2",
        **{f"PRESSRUN_DKIM__{name.upper()}": str(value) for name, value in told.items()},
    }


def _reading(ground: Ground, workers: list[psutil.Process]) -> tuple[int, float, float, float]:
    return ground.durable(), time.monotonic(), used(workers), ground.server_cpu


def _words(folder: Path) -> str:
    return "\n".join(log.read_text()[-1000:] for log in sorted(folder.glob("worker-*.log")))
