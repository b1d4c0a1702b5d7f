"""Applies what webhooks and forms left, in the background of the web process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from mailer.feedback import join
from mailer.feedback.apply import AT_ONCE, apply_waiting
from mailer.feedback.join import apply_signups
from mailer.report.privacy.purge import purge
from mailer.web.services import WebServices
from mailer.web.visit import post_of
from subscribers.errors import PressrunError
from subscribers.signup import queries as signups

log = logging.getLogger(__name__)

#: How long at most a request lies that nobody woke us for, in seconds.
POLL_SECONDS = 1.0
#: So long what comes after a wake-up is gathered: many requests share one transaction.
GATHER_SECONDS = 0.25
#: How often what was kept long enough is ended.
FORGET_SECONDS = 3600.0


class Applier:
    """One task; `wake()` when a request was kept. Others may apply at the same time."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once; to be called in the event loop."""
        self._woken.set()

    async def run(self) -> None:
        """Apply until cancelled, and now and then forget what was kept long enough."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time()
        while True:
            if loop.time() >= forget_at:
                await self._calmly(self.forget)
                forget_at = loop.time() + FORGET_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()
                await asyncio.sleep(GATHER_SECONDS)
            self._woken.clear()
            while await self._calmly(self._apply) >= AT_ONCE:
                pass
            await self._calmly(self._join)

    async def _calmly(self, work: Callable[[], int]) -> int:
        try:
            return await run_in_threadpool(work)
        except PressrunError as exc:
            # Nothing is lost: the requests wait in the database.
            log.warning("requests wait: %s", exc)
            return 0

    def _apply(self) -> int:
        services = self._services
        return apply_waiting(
            services.database, services.keyring, now=services.clock(), confirm=services.fetch
        )

    def _join(self) -> int:
        services = self._services
        return apply_signups(
            services.database,
            post_of(services),
            limits=services.signup_limits,
            now=services.clock(),
        )

    def forget(self) -> int:
        """End what was kept long enough; gives how much."""
        services = self._services
        with services.database.write() as session:
            forgotten = signups.forget(session, before=services.clock() - join.KEPT)
        ended = purge(services.database, services.settings.retention, now=services.clock())
        return forgotten + sum(ended.values())
