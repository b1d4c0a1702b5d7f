"""The one way into the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from subscribers.outbox.model import News, wants
from subscribers.outbox.tables import endpoints, outbox

#: The state of a row that is still to be delivered.
WAITING = "waiting"


def tell(session: Session, news: Sequence[News], *, now: datetime) -> None:
    """Put news into the outbox of each endpoint that wants them, with the caller's changes.

    Where there is no endpoint it costs one look at an empty table, and no news none at all.
    """
    if not news:
        return
    every = session.execute(select(endpoints.c.id, endpoints.c.wanted).order_by(endpoints.c.id))
    listening = [(row.id, row.wanted) for row in every]
    if not listening:
        return
    rows: list[dict[str, object]] = []
    for one in news:
        message_id = f"msg_{uuid4().hex}"
        rows += [
            {
                "endpoint_id": endpoint_id,
                "message_id": message_id,
                "type": one.type,
                "at": one.at,
                "written_at": now,
                "newsletter_id": one.newsletter_id,
                "subscriber_id": one.subscriber_id,
                "campaign_id": one.campaign_id,
                "facts": dict(one.facts),
                "state": WAITING,
                "due_at": now,
            }
            for endpoint_id, patterns in listening
            if wants(patterns, one.type)
        ]
    if rows:
        session.execute(insert(outbox), rows)
