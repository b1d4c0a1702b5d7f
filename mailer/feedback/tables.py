"""Raw requests of webhooks, kept as they came until they are applied.

What was understood is emptied then; what was not is kept for a while, to be looked at.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, String, Table, Text, UniqueConstraint, text

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
