"""A system of the user's own: a real HTTP server that answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Got:
    """One call as it came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What it says."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """Listens on loopback; `answers` gives the status of the n-th call, and its headers."""

    answers: Callable[[int], tuple[int, dict[str, str]]] = lambda _number: (204, {})
    seconds: float = 0.0
    got: list[Got] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Receiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def types(self) -> list[str]:
        return [one.told["type"] for one in self.got]

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self._lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            number = len(self.got)
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.got.append(Got(headers=headers, body=body))
        time.sleep(self.seconds)
        status, extra = self.answers(number)
        with self._lock:
            self.open -= 1
        handler.send_response(status)
        for name, value in {**extra, "content-length": "0"}.items():
            handler.send_header(name, value)
        handler.end_headers()
