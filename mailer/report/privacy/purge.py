"""What was kept long enough is ended, kind by kind, in short transactions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.feedback.queries import forget_bodies
from mailer.report.privacy import queries
from mailer.retention_settings import RetentionSettings
from subscribers.database import Database
from subscribers.privacy import queries as records

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_Task = Callable[["Session"], int]


class _DryRunOver(Exception):
    """Takes back what was only tried."""


def purge(
    database: Database, kept: RetentionSettings, *, now: datetime, dry_run: bool = False
) -> dict[str, int]:
    """End all that is older than it may be; gives how much of each kind.

    A dry run tries one transaction of each kind and takes it back: `records.AT_ONCE` then means
    so many or more.
    """
    tasks = _tasks(kept, now)
    return {name: _repeat(database, task, dry_run=dry_run) for name, task in tasks.items()}


def _tasks(kept: RetentionSettings, now: datetime) -> dict[str, _Task]:
    def pending(session: Session) -> int:
        return records.purge_pending(session, before=now - kept.pending, now=now)

    return {
        "events": lambda session: records.purge_looks(session, before=now - kept.events),
        "pending": pending,
        "tests": lambda session: queries.purge_tests(session, before=now - kept.tests),
        "requests": lambda session: forget_bodies(session, until=now - kept.requests),
    }


def _repeat(database: Database, task: _Task, *, dry_run: bool) -> int:
    """Do a task until nothing is left; tried once in a dry run."""
    total = 0
    while True:
        some = 0
        try:
            with database.write() as session:
                some = task(session)
                if dry_run:
                    raise _DryRunOver
        except _DryRunOver:
            return some
        total += some
        if some < records.AT_ONCE:
            return total
