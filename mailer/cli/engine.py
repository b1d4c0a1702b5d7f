"""Sender and clock in threads of one process, and how they come to rest."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType

from mailer.cli.runtime import Runtime
from mailer.delivery.domains.find import LaneFinder
from mailer.delivery.domains.mx import SystemResolver
from mailer.delivery.send import Sender
from mailer.feedback.apply import apply_waiting
from mailer.feedback.outgoing.teller import Teller
from mailer.notice.course import tell_of_course
from mailer.notice.owner import tell_of_pauses
from mailer.notice.stalled import StallWatch
from mailer.queue.actors import Waker
from mailer.queue.broker import make_broker
from mailer.queue.clock import Clock

log = logging.getLogger(__name__)


class Engine:
    """The parts of a process that work in the background; which ones is up to the command."""

    def __init__(self, runtime: Runtime, *, sends: bool, ticks: bool) -> None:
        self._threads: list[threading.Thread] = []
        self._failed = threading.Event()
        self._sender = self._make_sender(runtime) if sends else None
        offer = self._sender.offer if self._sender else _nobody
        self._waker = Waker(make_broker(runtime.settings.broker_url), offer)
        self._clock = self._make_clock(runtime) if ticks else None
        looks = ticks and runtime.settings.sending.mx_lookups
        self._finder = _make_finder(runtime) if looks else None
        self._teller = _make_teller(runtime) if ticks else None

    def start(self) -> None:
        """Start the threads; returns at once."""
        if self._sender is not None:
            self._waker.start()
            self._run("sender", lambda: _run_loop(self._sender))
        if self._clock is not None:
            self._run("clock", self._clock.run)
        if self._finder is not None:
            self._run("lanes", self._finder.run)
        if self._teller is not None:
            self._run("news", self._teller.run)

    def stop(self) -> None:
        """Let what flies land, then return; nothing becomes unknown by this."""
        if self._clock is not None:
            self._clock.stop()
        if self._finder is not None:
            self._finder.stop()
        if self._teller is not None:
            self._teller.stop()
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

    def _make_sender(self, runtime: Runtime) -> Sender:
        return Sender(settings=runtime.settings, database=runtime.database, keyring=runtime.keyring)

    def _make_clock(self, runtime: Runtime) -> Clock:
        def apply_feedback(now: datetime) -> int:
            return apply_waiting(runtime.database, runtime.keyring, now=now)

        stalls = StallWatch(
            database=runtime.database,
            keyring=runtime.keyring,
            after=timedelta(seconds=runtime.settings.sending.stalled_after),
        )

        def tell_owners(now: datetime) -> int:
            told = tell_of_pauses(runtime.database, runtime.keyring, now=now)
            return told + tell_of_course(runtime.database, runtime.keyring, now=now)

        return Clock(
            database=runtime.database,
            sending=runtime.settings.sending,
            wake=self._waker.wake,
            apply_feedback=apply_feedback,
            tell_owners=tell_owners,
            fuse=runtime.settings.fuse,
            look_after=stalls.look,
        )


def _make_finder(runtime: Runtime) -> LaneFinder:
    return LaneFinder(database=runtime.database, resolver=SystemResolver())


def _make_teller(runtime: Runtime) -> Teller:
    return Teller(
        database=runtime.database, keyring=runtime.keyring, settings=runtime.settings.outgoing
    )


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


@contextmanager
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
