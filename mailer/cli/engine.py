"""Sender and clock in threads of one process, and how they come to rest."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from mailer.cli.runtime import Runtime
from mailer.queue.actors import Waker
from mailer.queue.broker import make_broker

if TYPE_CHECKING:
    from mailer.cli.clockwork import Clockwork
    from mailer.delivery.send import Sender

log = logging.getLogger(__name__)

#: M_ARENA_MAX of glibc's malloc.h.
_ARENAS = -8


class Engine:
    """The parts of a process that work in the background; which ones is up to the command."""

    def __init__(self, runtime: Runtime, *, sends: bool, ticks: bool) -> None:
        self._threads: list[threading.Thread] = []
        self._failed = threading.Event()
        self._sender = _make_sender(runtime) if sends else None
        offer = self._sender.offer if self._sender else _nobody
        self._waker = Waker(make_broker(runtime.settings.broker_url), offer)
        self._clockwork = _clockwork(runtime, self._waker) if ticks else None

    def start(self) -> None:
        """Start the threads; returns at once."""
        _share_heap()
        _forget_imports()
        if self._sender is not None:
            self._waker.start()
            self._run("sender", lambda: _run_loop(self._sender))
        if self._clockwork is not None:
            for name, loop in self._clockwork.loops().items():
                self._run(name, loop)

    def stop(self) -> None:
        """Let what flies land, then return; nothing becomes unknown by this."""
        if self._clockwork is not None:
            self._clockwork.stop()
        if self._sender is not None:
            self._sender.stop()
        for thread in self._threads:
            thread.join()
        self._waker.stop()

    @property
    def failed(self) -> bool:
        """Whether a part has died, which is a bug."""
        return self._failed.is_set()

    def _run(self, name: str, body: object) -> None:
        def guarded() -> None:
            try:
                body()  # type: ignore[operator]
            except Exception:
                log.exception("the %s has died", name)
                self._failed.set()
                signal.raise_signal(signal.SIGTERM)

        thread = threading.Thread(target=guarded, name=name)
        thread.start()
        self._threads.append(thread)


def _make_sender(runtime: Runtime) -> Sender:
    from mailer.delivery.send import Sender

    return Sender(settings=runtime.settings, database=runtime.database, keyring=runtime.keyring)


def _clockwork(runtime: Runtime, waker: Waker) -> Clockwork:
    # A worker does without, and is smaller by a third.
    from mailer.cli.clockwork import wind_up

    return wind_up(runtime, waker.wake)


def _forget_imports() -> None:
    """Leave what was made by importing out of garbage collections: it stays for good."""
    gc.collect()
    gc.freeze()


def _share_heap() -> None:
    """Let threads share one heap where there is glibc, which else makes one for each: messages
    that go from thread to thread would leave all of them large."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENAS, 1)


def _nobody(chunk_id: int) -> None:
    """A process without a sender hears no wake-ups."""


def _run_loop(sender: Sender | None) -> None:
    assert sender is not None
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(sender.run())


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


class Signalled:
    """Whether SIGTERM or SIGINT came; a plain flag, since a lock in a handler can deadlock."""

    def __init__(self) -> None:
        self.is_set = False

    def wait(self) -> None:
        """Return once a signal has come."""
        while not self.is_set:
            time.sleep(0.1)


@contextlib.contextmanager
def until_signalled() -> Iterator[Signalled]:
    """Notice SIGTERM and SIGINT instead of ending; a second signal ends the process at once."""
    signalled = Signalled()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signalled.is_set = True
        signal.signal(number, signal.SIG_DFL)

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield signalled
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
