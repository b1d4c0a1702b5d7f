"""Plain smtplib and plain aiosmtplib: the same finished messages to the same sink, no ledger.

A program of its own, so that its CPU is nobody else's:
`python -m bench.peers smtplib PORT SECONDS FILE` prints a Window as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path

import aiosmtplib

from bench import content
from bench.model import Signature, Window
from mailer.delivery.model import Message

#: By name, what they do. As many connections as a worker opens where a library can use them.
CONNECTIONS = {"smtplib": 1, "aiosmtplib": 8}


def run(name: str, port: int, seconds: float, messages: Path) -> Window:
    """Watch a peer in a process of its own."""
    command = [sys.executable, "-m", "bench.peers", name, str(port), str(seconds), str(messages)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return Window(**json.loads(done.stdout))


def write_messages(messages: Sequence[Message], file: Path) -> None:
    """Write finished messages, which are ASCII, for the peers to read."""
    file.write_text(
        json.dumps([(m.envelope_from, m.envelope_to, m.content.decode("ascii")) for m in messages])
    )


def write_finished(folder: Path, count: int = 200) -> tuple[Path, int]:
    """Write so many finished messages of the sample issue; gives the file and a message's size."""
    made_by = content.composer(content.rendering("en"), Signature.NONE, folder)
    messages = content.messages(made_by, count)
    write_messages(messages, folder / "finished.json")
    return folder / "finished.json", len(messages[0].content)


def _read(file: Path) -> Iterator[tuple[str, str, bytes]]:
    known = [
        (sender, to, text.encode("ascii")) for sender, to, text in json.loads(file.read_text())
    ]
    return cycle(known)


def _by_smtplib(port: int, until: float, messages: Iterator[tuple[str, str, bytes]]) -> int:
    sent = 0
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as smtp:
        while time.monotonic() < until:
            sender, to, message = next(messages)
            smtp.sendmail(sender, [to], message)
            sent += 1
    return sent


def _by_aiosmtplib(port: int, until: float, messages: Iterator[tuple[str, str, bytes]]) -> int:
    import uvloop

    async def connection() -> int:
        sent = 0
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, local_hostname="localhost", start_tls=False
        ) as smtp:
            while time.monotonic() < until:
                sender, to, message = next(messages)
                await smtp.sendmail(sender, [to], message)
                sent += 1
        return sent

    async def all_of_them() -> int:
        return sum(await asyncio.gather(*(connection() for _ in range(CONNECTIONS["aiosmtplib"]))))

    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        return runner.run(all_of_them())


def _cpu() -> float:
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


def _main(name: str, port: int, seconds: float, file: Path) -> None:
    send = {"smtplib": _by_smtplib, "aiosmtplib": _by_aiosmtplib}[name]
    messages = _read(file)
    next(messages)
    began, cpu = time.monotonic(), _cpu()
    sent = send(port, began + seconds, messages)
    watched = Window(messages=sent, seconds=time.monotonic() - began, cpu=_cpu() - cpu)
    print(json.dumps(asdict(watched)))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
