"""Finds what would change, and changes it when a person has said so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from mailer.feedback.replay import queries
from mailer.feedback.replay.judge import REPLAY, Difference, judge
from subscribers.database import Database
from subscribers.model import Status
from subscribers.record import record

#: People that are looked at in one transaction.
_AT_ONCE = 500


def differences(database: Database) -> Iterator[Difference]:
    """Everybody who would stand elsewhere; nothing is changed."""
    with database.read() as session:
        policies = queries.policies(session)
    last = 0
    while True:
        with database.read() as session:
            pasts = queries.pasts(session, after=last, most=_AT_ONCE)
        if not pasts:
            return
        yield from (found for past in pasts if (found := judge(past, policies)))
        last = pasts[-1].subscriber_id


def change(database: Database, found: Sequence[Difference], *, now: datetime) -> int:
    """Make people stand where they should; gives how many were moved."""
    moved = 0
    for start in range(0, len(found), _AT_ONCE):
        with database.write() as session:
            for one in found[start : start + _AT_ONCE]:
                if one.becomes is Status.ACTIVE:
                    moved += queries.give_back(session, one, now=now)
                    continue
                queries.set_count(session, one)
                # Under a name of its own, as the event itself was recorded before.
                again = replace(
                    one.event,
                    source=REPLAY,
                    source_id=f"{now.isoformat()}:{one.past.newsletter_id}:{one.past.subscriber_id}",
                    newsletter_id=one.past.newsletter_id,
                )
                moved += record(session, again, now=now).applied
    return moved
