"""Finished messages by our own fleet, in a process of its own, so that its CPU is nobody else's.

`python -m bench.handing PORT FILE COUNT WAY CONNECTIONS IN_FLIGHT TLS` prints a Window as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Literal

import uvloop

from bench.model import Window
from mailer.delivery.fleet import Fleet, Flight
from mailer.delivery.model import Intent, Message, Verdict
from mailer.delivery.smtp import Handed, Way
from mailer.settings import RelaySettings, SendingSettings


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How messages are handed over."""

    way: Way
    connections: int = 4
    in_flight: int = 32
    tls: Literal["none", "implicit"] = "none"


def run(manner: Manner, port: int, messages: Path, count: int) -> Window:
    """Watch our fleet in a process of its own."""
    command = [
        sys.executable, "-m", "bench.handing", str(port), str(messages), str(count),
        manner.way.value, str(manner.connections), str(manner.in_flight), manner.tls,
    ]  # fmt: skip
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return Window(**json.loads(done.stdout))


class Handing:
    """Keeps so many messages under way until all have landed."""

    def __init__(self, fleet: Fleet, messages: Iterator[Message], count: int) -> None:
        self._fleet, self._messages, self._left = fleet, messages, count
        self._flying = 0
        self._landed = asyncio.Event()

    async def all(self, in_flight: int) -> None:
        """Hand all over."""
        for _ in range(min(in_flight, self._left)):
            self._launch()
        await self._landed.wait()

    def _launch(self) -> None:
        self._left -= 1
        self._flying += 1
        message = next(self._messages)
        intent = Intent(delivery_id=message.delivery_id, attempt=1)
        self._fleet.launch(Flight(intent=intent, message=message, landed=self._land))

    def _land(self, flight: Flight, handed: Handed) -> None:
        if handed.verdict is not Verdict.SENT:
            raise RuntimeError(f"a message was not taken: {handed}")
        self._flying -= 1
        if self._left:
            self._launch()
        elif not self._flying:
            self._landed.set()


def _read(file: Path) -> Iterator[Message]:
    # What compose makes has no line that starts with a dot, and says so.
    return cycle(
        [
            Message(
                delivery_id=number,
                envelope_from=sender,
                envelope_to=to,
                content=text.encode("ascii"),
                dot_free=True,
            )
            for number, (sender, to, text) in enumerate(json.loads(file.read_text()), 1)
        ]
    )


async def _watch(manner: Manner, port: int, file: Path, count: int) -> Window:
    relay = RelaySettings(
        port=port,
        connections=manner.connections,
        messages_per_connection=count,
        tls=manner.tls,
        verify=False,
    )
    fleet = Fleet(relay, SendingSettings(), local_hostname="localhost", most=manner.way)
    messages = _read(file)
    await fleet.ready()
    # Windows grow first, and every connection opens.
    await Handing(fleet, messages, manner.connections * 64).all(manner.in_flight)
    began, cpu = time.monotonic(), _cpu()
    await Handing(fleet, messages, count).all(manner.in_flight)
    window = Window(messages=count, seconds=time.monotonic() - began, cpu=_cpu() - cpu)
    await fleet.close()
    return window


def _cpu() -> float:
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


def _main(
    port: str, file: str, count: str, way: str, connections: str, in_flight: str, tls: str
) -> None:
    manner = Manner(
        way=Way(way),
        connections=int(connections),
        in_flight=int(in_flight),
        tls="implicit" if tls == "implicit" else "none",
    )
    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        window = runner.run(_watch(manner, int(port), Path(file), int(count)))
    print(json.dumps(asdict(window)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
