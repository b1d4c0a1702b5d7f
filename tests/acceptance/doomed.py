"""`mailer`, to be killed with -9 by itself, at a point of its work that nobody outside can see.

`python -m tests.acceptance.doomed POINT COMMAND …`
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

from mailer.__main__ import main
from mailer.delivery import gate, ledger
from mailer.delivery.recorder import Recorder, Taken
from mailer.delivery.send import Sender


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def _in_the_gate() -> None:
    """Intents are written, and not committed."""
    pass_gate = gate.pass_gate

    def doomed(*args: object, **options: object) -> gate.Passed:
        passed = pass_gate(*args, **options)  # type: ignore[arg-type]
        if passed.intents:
            _die()
        return passed

    gate.pass_gate = doomed  # type: ignore[assignment]


def _with_the_outcomes() -> None:
    """The relay has said 250, and that is written, and not committed."""
    record_outcomes = ledger.record_outcomes

    def doomed(*args: object, **options: object) -> None:
        record_outcomes(*args, **options)  # type: ignore[arg-type]
        _die()

    ledger.record_outcomes = doomed


def _before_the_ack() -> None:
    """Outcomes are committed, and the broker's message has not been acknowledged."""
    offer, done, woken = Sender.offer, Recorder.done, threading.Event()

    def never_returns(self: Sender, chunk_id: int) -> None:
        offer(self, chunk_id)
        woken.set()
        threading.Event().wait()

    def doomed(self: Recorder, taken: Taken) -> None:
        done(self, taken)
        if taken.pending and woken.is_set():
            _die()

    Sender.offer = never_returns  # type: ignore[method-assign]
    Recorder.done = doomed  # type: ignore[method-assign]


POINTS: dict[str, Callable[[], None]] = {
    "gate": _in_the_gate,
    "outcomes": _with_the_outcomes,
    "ack": _before_the_ack,
}

if __name__ == "__main__":
    POINTS[sys.argv.pop(1)]()
    main()
