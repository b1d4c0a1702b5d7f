"""Serving the application on a socket of our own."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from mailer.errors import PortTaken, SettingsInvalid
from mailer.settings import WebSettings

_BACKLOG = 512
#: How long requests under way may take when the process is asked to stop, in seconds.
_GRACE = 10


def bind(web: WebSettings, *, section: str = "web") -> socket.socket:
    """Take the port before anything else starts; port 0 takes any free one.

    `section` is where in the settings host and port stand, for whoever must mend them.

    Raises PortTaken, or SettingsInvalid where the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            web.host, web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        words = f"{section}.host: {web.host} is no address of this machine"
        raise SettingsInvalid(words) from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        raise _why_not(exc, web, section) from exc
    return listener


def _why_not(exc: OSError, web: WebSettings, section: str) -> PortTaken | SettingsInvalid:
    where = f"{web.host}:{web.port}"
    if exc.errno == errno.EADDRINUSE:
        return PortTaken(f"another program listens on {where}; choose another port with --port")
    if exc.errno == errno.EACCES:
        return SettingsInvalid(f"{section}.port: {where} is reserved; choose a port above 1023")
    return SettingsInvalid(f"{section}.host: can't listen on {where}: {exc.strerror}")


class QuietServer(uvicorn.Server):
    """A server that leaves the signals to the process, and ends when it is told to."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], bool]) -> None:
        super().__init__(config)
        self._stop = stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Touch no signal: they may come before the server runs, and mean more than it."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: is it time to end?"""
        self.should_exit = self.should_exit or self._stop()
        return await super().on_tick(counter)


def server(app: ASGIApp, *, stop: Callable[[], bool] = lambda: False) -> uvicorn.Server:
    """A server for `run(sockets=[listener])`, or `serve(…)` in a loop.

    It ends once `stop()` or its `should_exit` is true; it handles no signals itself.

    Paths hold tokens, so requests are not logged.
    """
    config = uvicorn.Config(
        app,
        access_log=False,
        # Its lines go where ours go, and look alike.
        log_config=None,
        log_level="warning",
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE,
    )
    return QuietServer(config, stop)
