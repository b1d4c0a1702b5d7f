"""Raw requests of webhooks, and sums of opens and clicks.

Requests are kept as they came until they are applied. What was understood is emptied then; what
was not is kept for a while, to be looked at.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from mailer.campaign.tables import campaigns
from subscribers.database import Id, Moment, metadata

intake = Table(
    "intake",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("provider", String(64), nullable=False),
    # The provider's id of the request, so that the same one twice is one row.
    Column("request_id", String(255), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("applied_at", Moment),
    # What came of it, in words.
    Column("result", Text),
    UniqueConstraint("provider", "request_id"),
    Index(
        "ix_intake_waiting",
        "id",
        sqlite_where=text("applied_at IS NULL"),
        postgresql_where=text("applied_at IS NULL"),
    ),
)

#: How often a campaign's mail was opened and its links were followed, and by whom: only numbers.
looks = Table(
    "looks",
    metadata,
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), primary_key=True),
    # opened or clicked
    Column("type", String(16), primary_key=True),
    # The link's number; 0 for all of a message together.
    Column("link", Integer, primary_key=True),
    Column("looker", String(16), primary_key=True),
    Column("count", Integer, nullable=False),
    # How many different people did so, where that is known.
    Column("people", Integer, nullable=False),
)
