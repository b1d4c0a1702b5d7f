"""The relays: one is chosen by weight among those that are well; a sick one is probed back."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass

from mailer.delivery.fleet import Fleet
from mailer.errors import RelayLoginRefused, RelayTrouble, RelayWithoutTls
from mailer.settings import SendingSettings, Settings

log = logging.getLogger(__name__)

#: How long a sick relay is left alone at first, and at most, in seconds; it doubles.
PROBE_FIRST = 5.0
PROBE_MOST = 300.0


@dataclass
class Health:
    """How a relay is: after trouble it is tried again at `again` (monotonic seconds)."""

    trouble: RelayTrouble | None = None
    again: float = 0.0
    pause: float = 0.0


class Relays:
    """All relays of this installation, with a fleet of connections each."""

    def __init__(
        self, settings: Settings, sending: SendingSettings, *, local_hostname: str
    ) -> None:
        self._relays = settings.every_relay
        self._probe_first = min(PROBE_FIRST, sending.retry_first)
        self._fleets = {
            name: Fleet(relay, sending, local_hostname=local_hostname)
            for name, relay in self._relays.items()
        }
        self._health = {name: Health() for name in self._relays}

    def fleet(self, name: str) -> Fleet:
        """The connections to a relay."""
        return self._fleets[name]

    async def ready(self, wanted: str | None) -> str:
        """The name of a relay that takes us: the wanted one, else any by weight.

        Raises RelayTrouble where none does: one that a person must mend (login, TLS) only if
        that is what ails all of them.
        """
        candidates = [wanted] if wanted in self._relays else [*self._relays]
        ordered = sorted(candidates, key=self._draw)
        for name in ordered:
            if await self._is_well(name):
                return name
        troubles = [t for name in ordered if (t := self._health[name].trouble) is not None]
        passing = [t for t in troubles if not isinstance(t, (RelayLoginRefused, RelayWithoutTls))]
        raise (passing or troubles)[0]

    async def close(self) -> None:
        """Close all connections."""
        for fleet in self._fleets.values():
            await fleet.close()

    def _draw(self, name: str) -> float:
        # The smallest of exponential draws: the first of each has its weight's chance.
        return random.expovariate(self._relays[name].weight)

    async def _is_well(self, name: str) -> bool:
        health = self._health[name]
        if health.trouble is not None and time.monotonic() < health.again:
            return False
        try:
            await self._fleets[name].ready()
        except RelayTrouble as exc:
            health.pause = min(max(health.pause * 2, self._probe_first), PROBE_MOST)
            health.trouble, health.again = exc, time.monotonic() + health.pause
            log.warning("relay %s is left alone for %.1f s: %s", name, health.pause, exc)
            return False
        if health.trouble is not None:
            log.warning("relay %s is well again", name)
        self._health[name] = Health()
        return True
