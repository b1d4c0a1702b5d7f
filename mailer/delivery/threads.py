"""Threads that talk to the database, so that the loop that talks SMTP never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from subscribers.database import Database

T = TypeVar("T")


class LedgerThreads:
    """Runs functions that use the database in a few threads."""

    def __init__(self, database: Database) -> None:
        # SQLite has one writer: more threads would only wait for each other.
        self._pool = ThreadPoolExecutor(
            max_workers=1 if database.is_sqlite else 4, thread_name_prefix="ledger"
        )

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run it, and give what it gives."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    def close(self) -> None:
        """Wait for what runs."""
        self._pool.shutdown(wait=True)
