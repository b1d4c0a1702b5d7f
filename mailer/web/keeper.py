"""Keeps raw requests before they are answered; those that come together share a commit."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool

from mailer.feedback import queries
from mailer.feedback.model import Arrived
from mailer.web.services import WebServices, insist

#: So many requests, and bytes of them, go into one transaction.
AT_ONCE = 200
_MOST_BYTES = 2_000_000

_Waiting = tuple[Arrived, "asyncio.Future[bool]"]


class Keeper:
    """One commit at a time: what comes while it runs waits for the next, and shares that."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._waiting: list[_Waiting] = []
        self._at_work: asyncio.Task[None] | None = None

    async def keep(self, arrived: Arrived) -> bool:
        """Return once the request is durable; False where we had it already.

        Raises DatabaseUnavailable, DatabaseBusy or DatabaseFull: then it is not kept.
        """
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrived, kept))
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._keep_all(), name="keeper")
        return await kept

    async def _keep_all(self) -> None:
        try:
            while self._waiting:
                await self._keep_some(self._next())
        finally:
            self._at_work = None

    def _next(self) -> list[_Waiting]:
        taken, size = 0, 0
        for arrived, _ in self._waiting[:AT_ONCE]:
            size += len(arrived.body)
            if taken and size > _MOST_BYTES:
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    async def _keep_some(self, batch: list[_Waiting]) -> None:
        requests = [arrived for arrived, _ in batch]
        try:
            answers = await run_in_threadpool(lambda: insist(lambda: self._write(requests)))
        except Exception as exc:  # noqa: BLE001 - each who waits is told, in its own request
            for _, kept in batch:
                if not kept.done():
                    kept.set_exception(exc)
            return
        for (_, kept), is_new in zip(batch, answers, strict=True):
            if not kept.done():
                kept.set_result(is_new)

    def _write(self, requests: list[Arrived]) -> list[bool]:
        with self._services.database.write() as session:
            return queries.keep_requests(session, requests)
