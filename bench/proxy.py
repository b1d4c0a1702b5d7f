"""A line that takes its time: all bytes arrive, in order, half a round trip later.

`python -m bench.proxy PORT SECONDS` prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop

from tests.services import process as processes


class _End(asyncio.Protocol):
    """One end of a connection; what it receives goes out at the other end, later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Future[asyncio.Transport] = self._loop.create_future()
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are none by class.
        self.transport.set_result(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._delay, self._pass_on, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._loop.call_later(self._delay, self._hang_up)

    def _pass_on(self, data: bytes) -> None:
        assert self.other is not None
        self.other.transport.result().write(data)

    def _hang_up(self) -> None:
        assert self.other is not None
        self.other.transport.result().close()


class _Accepted(_End):
    def __init__(self, port: int, delay: float) -> None:
        super().__init__(delay)
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        ours = self.transport.result()
        ours.pause_reading()
        self._connecting = self._loop.create_task(self._connect(ours))

    async def _connect(self, transport: asyncio.Transport) -> None:
        _, self.other = await self._loop.create_connection(
            lambda: _End(self._delay), "127.0.0.1", self._port
        )
        self.other.other = self
        transport.resume_reading()


@contextmanager
def running(port: int, *, round_trip: float) -> Iterator[int]:
    """Put the line before a port, as a process; gives the port at our end."""
    command = [sys.executable, "-m", "bench.proxy", str(port), str(round_trip / 2)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [*processes.leash(), *command], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Accepted(port, delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    # As quick as it can be: what it takes itself is added to the round trip.
    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        runner.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
