"""`mailer serve` as a child process of the demo: web, clock and worker, as in real life."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from mailer.cli.demo_folder import DemoFolder, note
from mailer.cli.demo_stop import DemoFailed, Stop

_START_SECONDS = 60.0
_END_SECONDS = 45.0


class DemoServer:
    """The running child."""

    def __init__(self, folder: DemoFolder, url: str) -> None:
        self.url = url
        self._folder = folder
        command = [sys.executable, "-P", "-m", "mailer"]
        with folder.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--config", str(folder.settings), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C is for us: the child shall get one signal, and time to finish.
                start_new_session=True,
                pass_fds=(folder.lock,),
            )
        note(folder.lock, self.pid)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def wait_until_up(self, stop: Stop) -> None:
        """Return once it answers; raises DemoFailed with its last words where it does not."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass  # not yet
            stop.sleep(0.1)
        raise DemoFailed(f"`mailer serve` does not answer at {self.url}; see {self._folder.log}")

    def check(self) -> None:
        """Raise DemoFailed where the child has ended."""
        code = self._process.poll()
        if code is not None:
            lines = self._folder.log.read_text(encoding="utf-8", errors="replace").splitlines()
            raise DemoFailed(
                f"`mailer serve` ended with {code}: {(lines or ['without a word'])[-1]};"
                f" see {self._folder.log}"
            )

    def end(self, stop: Stop) -> None:
        """Let what flies land, then it is gone; a second Ctrl-C, or too long a time, kills it."""
        self._process.terminate()
        deadline = time.monotonic() + _END_SECONDS
        while self._process.poll() is None:
            if stop.hurried or time.monotonic() > deadline:
                self._process.kill()
            time.sleep(0.05)


@contextmanager
def serving(folder: DemoFolder, url: str, stop: Stop) -> Iterator[DemoServer]:
    """Run the child for as long as this lasts."""
    server = DemoServer(folder, url)
    try:
        server.wait_until_up(stop)
        yield server
    finally:
        server.end(stop)
