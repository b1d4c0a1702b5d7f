"""Pictures of a page, taken by a Chromium that has no network.

It is driven over a pipe (the DevTools protocol, `--remote-debugging-pipe`): no port is opened,
and every request that the page makes is refused.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from mailer.errors import ChromiumMissing, RenderingFailed

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
DEADLINE = 30.0
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--font-render-hinting=none",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:1",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
#: Until fonts are there, and each image is decoded or refused.
_LOADED = """document.fonts.ready.then(() => Promise.all(
  [...document.images].map((image) => image.decode().catch(() => 0)))).then(() => true)"""
#: Chromium speaks on descriptors 3 and 4.
_START = (
    "import os, sys; r, w = int(sys.argv[1]), int(sys.argv[2]);"
    "os.dup2(r, 3); os.dup2(w, 4); os.execv(sys.argv[3], sys.argv[3:])"
)


def find() -> str:
    """The Chromium of this machine; raises ChromiumMissing."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    if _MAC.exists():
        return str(_MAC)
    raise ChromiumMissing


@dataclass(kw_only=True)
class Page:
    """One page in a running Chromium; used by one thread."""

    _send: int
    _answers: int
    _session: str = ""
    _count: int = 0
    _waiting: bytes = b""
    #: URLs that the page asked for and did not get.
    refused: list[str] = field(default_factory=list)

    def show(self, html: str, *, width: int, dark: bool = False) -> None:
        """Load a page, in a window so many pixels wide."""
        self._metrics(width, 800)
        scheme = "dark" if dark else "light"
        self.ask(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        tree = self.ask("Page.getFrameTree", {})
        frame = tree["frameTree"]["frame"]["id"]  # type: ignore[index,call-overload]
        self.ask("Page.setDocumentContent", {"frameId": frame, "html": html})
        self.evaluate(_LOADED)

    def evaluate(self, script: str) -> Json:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self.ask(
            "Runtime.evaluate",
            {"expression": script, "awaitPromise": True, "returnByValue": True},
        )
        if "exceptionDetails" in answer:
            raise RenderingFailed(f"the page's script failed: {answer['exceptionDetails']}")
        value: Json = answer["result"].get("value")  # type: ignore[union-attr]
        return value

    def picture(self, *, width: int) -> bytes:
        """A PNG of the whole page."""
        height = int(str(self.evaluate("Math.ceil(document.documentElement.scrollHeight)")))
        self._metrics(width, max(height, 1))
        answer = self.ask("Page.captureScreenshot", {"format": "png"})
        return base64.b64decode(str(answer["data"]))

    def ask(self, method: str, arguments: Mapping[str, object]) -> dict[str, Json]:
        """Call a method of the DevTools protocol; raises RenderingFailed where it can't."""
        self._count += 1
        number = self._count
        self._write(number, method, arguments)
        until = time.monotonic() + DEADLINE
        while True:
            message = self._read(until)
            if message.get("id") == number:
                if "error" in message:
                    raise RenderingFailed(f"Chromium refuses {method}: {message['error']}")
                result = message["result"]
                assert isinstance(result, dict)
                return result
            self._hear(message)

    def _hear(self, message: dict[str, Json]) -> None:
        if message.get("method") != "Fetch.requestPaused":
            return
        paused = message["params"]
        assert isinstance(paused, dict)
        request = paused["request"]
        assert isinstance(request, dict)
        self.refused.append(str(request["url"]))
        self._count += 1
        answer = {"requestId": paused["requestId"], "errorReason": "BlockedByClient"}
        self._write(self._count, "Fetch.failRequest", answer)

    def _metrics(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", size)

    def _write(self, number: int, method: str, arguments: Mapping[str, object]) -> None:
        message: dict[str, object] = {"id": number, "method": method, "params": arguments}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._send, data) :]

    def _read(self, until: float) -> dict[str, Json]:
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._answers], [], [], max(0, until - time.monotonic()))
            piece = os.read(self._answers, 1 << 20) if ready else b""
            if not piece:
                raise RenderingFailed("Chromium " + ("ended" if ready else "does not answer"))
            self._waiting += piece
        head, _, self._waiting = self._waiting.partition(b"\0")
        message: dict[str, Json] = json.loads(head)
        return message

    def attach(self) -> None:
        """Open a tab in which every request is refused."""
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        answer = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = str(answer["sessionId"])
        self.ask("Fetch.enable", {"patterns": [{"urlPattern": "http*"}, {"urlPattern": "file*"}]})
        self.ask("Page.enable", {})


@contextmanager
def chromium() -> Iterator[Page]:
    """A page in a Chromium that ends with the block; raises ChromiumMissing."""
    program = find()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    # Its sandbox can't be had as root; the page is our own and has no scripts.
    flags = (*_FLAGS, "--no-sandbox") if root else _FLAGS
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home,
        _Process((program, *flags, f"--user-data-dir={home}"), home=home) as page,
    ):
        page.attach()
        yield page


class _Process:
    def __init__(self, command: tuple[str, ...], *, home: str) -> None:
        theirs_in, self._send = os.pipe()
        self._answers, theirs_out = os.pipe()
        # Away from 3 and 4, which the start overwrites.
        high = [_high(theirs_in), _high(theirs_out)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, *map(str, high), *command],
                pass_fds=high,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"HOME": home, "PATH": os.defpath, "LANG": "C.UTF-8"},
            )
        finally:
            for each in high:
                os.close(each)

    def __enter__(self) -> Page:
        return Page(_send=self._send, _answers=self._answers)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        os.close(self._send)  # the end of the pipe ends Chromium
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)


def _high(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    return moved
