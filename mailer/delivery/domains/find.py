"""Finding the lanes of domains, slowly and aside: nothing that sends ever waits for the DNS."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

from mailer.delivery.domains import queries
from mailer.delivery.domains.mx import MxResolver
from mailer.delivery.domains.queries import Source
from mailer.delivery.lanes import lane_by_mx
from mailer.errors import DnsUnavailable
from subscribers.database import Database
from subscribers.errors import PressrunError

log = logging.getLogger(__name__)

#: Domains walked over between two looks at the clock.
STEPS = 100
#: What was found is believed for so long.
BELIEVED = timedelta(days=30)
#: Seconds between two passes, after the last domain, and where no name server answers.
PAUSE, REST, NO_DNS = 5.0, 3600.0, 600.0


class LaneFinder:
    """Walks over the domains of all people and looks up those it does not know."""

    def __init__(self, *, database: Database, resolver: MxResolver) -> None:
        self._database = database
        self._resolver = resolver
        self._after = ""
        self._stopping = threading.Event()

    def run(self) -> None:
        """Walk until told to stop; trouble is logged and tried again later."""
        while not self._stopping.is_set():
            pause = PAUSE
            try:
                if self.walk() is None:
                    pause = REST
            except DnsUnavailable as exc:
                log.info("domains stay in the lane `other`: %s", exc)
                pause = NO_DNS
            except PressrunError as exc:
                log.warning("domains could not be looked up: %s", exc)
            self._stopping.wait(pause)

    def stop(self) -> None:
        """Return from `run` after the domain at hand."""
        self._stopping.set()

    def walk(self) -> int | None:
        """One short stretch; gives how many domains were looked up, None at the end.

        Raises DnsUnavailable; what was found before is kept.
        """
        now = datetime.now(UTC)
        with self._database.read() as session:
            wanted, after = queries.unknown(
                session, after=self._after, steps=STEPS, stale=now - BELIEVED
            )
        found: list[tuple[str, str]] = []
        try:
            for domain in wanted:
                if self._stopping.is_set():
                    break
                found.append((domain, lane_by_mx(self._resolver.hosts(domain))))
        finally:
            with self._database.write() as session:
                queries.keep(session, found, source=Source.MX, now=now)
        self._after = after or ""
        return None if after is None and not found else len(found)
