"""How a demo ends early: by a signal, at a point where nothing is half done."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from subscribers.errors import PressrunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAP = 0.1


class DemoFailed(PressrunError):
    """The demo did not come out as it should have."""


class Interrupted(PressrunError):
    """Stopped; `mailer demo` goes on where this ended."""


class Stop:
    """What signals asked for: the first to come to an end, the second to be quick about it."""

    def __init__(self) -> None:
        # Plain flags: a handler must not take a lock that the code it interrupted may hold.
        self.asked = False
        self.hurried = False

    def check(self) -> None:
        """Raise Interrupted where the end was asked for."""
        if self.asked:
            raise Interrupted

    def sleep(self, seconds: float) -> None:
        """Wait; raises Interrupted soon after the end was asked for."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, _NAP))
        self.check()

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Note a signal."""
        self.asked, self.hurried = True, self.asked


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Signals set flags, so that no child is lost between its start and our knowing of it."""
    stop = Stop()
    before = {number: signal.signal(number, stop.on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
