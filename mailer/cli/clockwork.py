"""What ticks beside the clock: bounces applied, owners told, lanes found, news delivered.

Only a process with a clock imports it: a worker has no need of HTTP, DNS and notices, and is
smaller without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailer.cli.runtime import Runtime
from mailer.delivery.domains.find import LaneFinder
from mailer.delivery.domains.mx import SystemResolver
from mailer.feedback.apply import apply_waiting
from mailer.feedback.outgoing.teller import Teller
from mailer.notice.course import tell_of_course
from mailer.notice.owner import tell_of_pauses
from mailer.notice.stalled import StallWatch
from mailer.queue.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Clockwork:
    """The loops of a process that ticks; `finder` None where no MX may be looked up."""

    clock: Clock
    finder: LaneFinder | None
    teller: Teller

    def loops(self) -> dict[str, Callable[[], None]]:
        """Each loop by the name of its thread; it returns after `stop`."""
        found = {"lanes": self.finder.run} if self.finder is not None else {}
        return {"clock": self.clock.run, **found, "news": self.teller.run}

    def stop(self) -> None:
        """Let all loops return."""
        self.clock.stop()
        if self.finder is not None:
            self.finder.stop()
        self.teller.stop()


def wind_up(runtime: Runtime, wake: Callable[[int], None]) -> Clockwork:
    """Make the clock of a process and what goes with it; `wake` is given chunks with work."""
    settings, database, keyring = runtime.settings, runtime.database, runtime.keyring
    lookups = settings.sending.mx_lookups
    return Clockwork(
        clock=_clock(runtime, wake),
        finder=LaneFinder(database=database, resolver=SystemResolver()) if lookups else None,
        teller=Teller(database=database, keyring=keyring, settings=settings.outgoing),
    )


def _clock(runtime: Runtime, wake: Callable[[int], None]) -> Clock:
    database, keyring = runtime.database, runtime.keyring

    def apply_feedback(now: datetime) -> int:
        return apply_waiting(database, keyring, now=now)

    def tell_owners(now: datetime) -> int:
        told = tell_of_pauses(database, keyring, now=now)
        return told + tell_of_course(database, keyring, now=now)

    sending = runtime.settings.sending
    stalls = StallWatch(
        database=database, keyring=keyring, after=timedelta(seconds=sending.stalled_after)
    )
    return Clock(
        database=database,
        sending=sending,
        wake=wake,
        apply_feedback=apply_feedback,
        tell_owners=tell_owners,
        fuse=runtime.settings.fuse,
        look_after=stalls.look,
    )
