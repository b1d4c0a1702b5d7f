"""Opens and clicks on their way from requests to the database, off the path of any answer."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from starlette.concurrency import run_in_threadpool

from mailer.campaign import queries as campaign_queries
from mailer.feedback.track.model import Look
from mailer.feedback.track.record import record_looks
from mailer.feedback.track.waiting import Ripe, Waiting
from mailer.render.links import ascii_url
from mailer.web.services import WebServices, insist
from subscribers.errors import PressrunError

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
#: Copies whose looks go into one transaction.
AT_ONCE = 200
#: Campaigns whose links are kept in memory; those sent last are read ahead, now and then, so
#: that their links work while the database does not.
KEPT = 256
_AHEAD = 16
_AHEAD_SECONDS = 30.0


class LinkCache:
    """The links of campaigns, as they stand in a Location header; number 1 first."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._kept: OrderedDict[int, tuple[str, ...]] = OrderedDict()

    async def of(self, campaign_id: int) -> tuple[str, ...]:
        """A campaign's links; raises DatabaseUnavailable where they are not in memory."""
        known = self._kept.get(campaign_id)
        if known is None:
            known = await run_in_threadpool(self._read, campaign_id)
            self._keep(campaign_id, known)
        self._kept.move_to_end(campaign_id)
        return known

    async def read_ahead(self) -> None:
        """Take in the newest campaigns that have started; raises DatabaseUnavailable."""
        for campaign_id in await run_in_threadpool(self._newest):
            if campaign_id not in self._kept:
                self._keep(campaign_id, await run_in_threadpool(self._read, campaign_id))

    def _keep(self, campaign_id: int, links: tuple[str, ...]) -> None:
        self._kept[campaign_id] = links
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _read(self, campaign_id: int) -> tuple[str, ...]:
        with self._services.database.read() as session:
            urls = campaign_queries.links_of_campaign(session, campaign_id)
        return tuple(ascii_url(url) for url in urls)

    def _newest(self) -> list[int]:
        with self._services.database.read() as session:
            return campaign_queries.newest_tracked(session, limit=_AHEAD)


class LookKeeper:
    """Takes looks without waiting for anything; one task records them, in batches."""

    def __init__(self, services: WebServices, links: LinkCache) -> None:
        self._services = services
        self._links = links
        self._waiting = Waiting()
        self._is_full = False
        self._stopped = asyncio.Event()

    def note(self, look: Look) -> None:
        """Take a look; to be called in the event loop."""
        if self._waiting.add(look):
            self._is_full = False
        elif not self._is_full:
            self._is_full = True
            log.warning("opens and clicks are not counted now: too many wait to be recorded")

    def stop(self) -> None:
        """Let `run` record what is left, and return."""
        self._stopped.set()

    async def run(self) -> None:
        """Record until stopped; what came last is then judged by what is known of it."""
        loop = asyncio.get_running_loop()
        ahead_at = loop.time()
        while not self._stopped.is_set():
            if loop.time() >= ahead_at:
                with suppress(PressrunError):
                    await self._links.read_ahead()
                ahead_at = loop.time() + _AHEAD_SECONDS
            await self.record()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._stopped.wait()
        await self.record(at_once=True)

    async def record(self, *, at_once: bool = False) -> None:
        """Judge and record what is ripe; what can't be recorded now waits on."""
        now = self._services.clock()
        while ripe := self._waiting.ripe(now, most=AT_ONCE, at_once=at_once):
            try:
                await run_in_threadpool(self._write, ripe, now)
            except PressrunError as exc:
                log.warning("opens and clicks wait: %s", exc)
                return
            except Exception:
                # A mistake of ours must not stop the figures of all others.
                log.exception("some opens and clicks could not be recorded, and are not counted")
            self._waiting.settle(ripe)
        self._waiting.forget(now)

    def _write(self, ripe: Sequence[Ripe], now: datetime) -> None:
        def change() -> None:
            with self._services.database.write() as session:
                record_looks(session, ripe, now=now)

        insist(change)
