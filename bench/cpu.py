"""CPU and memory of processes, as the system counts them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import psutil


def used(processes: Iterable[psutil.Process]) -> float:
    """CPU seconds, user and system, of these processes and their threads."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def used_by_family(parent: psutil.Process | None) -> float:
    """CPU seconds of a server, its children that live and those that it has buried."""
    if parent is None:
        return 0.0
    total = sum(parent.cpu_times()[:4])
    for child in parent.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:4])
    return total


def resident(process: psutil.Process) -> float:
    """Resident memory in MiB."""
    return float(process.memory_info().rss) / 2**20


def wait_until_idle(processes: list[psutil.Process], *, seconds: float = 30) -> None:
    """Return once processes have done their start: they burn next to no CPU any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before, pause = used(processes), 0.3
        time.sleep(pause)
        after = used(processes)
        if after > 0.2 * len(processes) and after - before < 0.1 * pause * len(processes):
            return
    raise RuntimeError("the workers do not come to rest; is something else wrong with them?")
