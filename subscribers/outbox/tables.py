"""Endpoints of the user's own systems, and the news that wait for each."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, String, Table, Text, text

from subscribers.database import Id, Moment, metadata

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("url", Text, nullable=False),
    # Which news it wants, as patterns: ["subscriber.*"].
    Column("wanted", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    # What its secret is derived from with a key that is not in the database; the one before
    # signs as well until its time is over.
    Column("seed", String(64), nullable=False),
    Column("old_seed", String(64)),
    Column("old_seed_until", Moment),
    Column("created_at", Moment, nullable=False),
    # Who is at work on it, and until when nobody else is.
    Column("worker", String(64)),
    Column("leased_until", Moment),
    # Failures in a row, since when, and until when it is left in peace.
    Column("failures", Integer, nullable=False, default=0),
    Column("failing_since", Moment),
    Column("rests_until", Moment),
    # Why it is in this state, in words.
    Column("reason", Text),
)

#: One row for each endpoint that wants the news. No row names a person: the address is
#: looked up when the news is sent, so that an erasure has nothing to find here.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    # No foreign key: an endpoint that is removed in this moment must not fail whoever writes.
    Column("endpoint_id", Id, nullable=False),
    # The same at all endpoints, and at each try: what a receiver knows a repetition by.
    Column("message_id", String(40), nullable=False),
    Column("type", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    Column("written_at", Moment, nullable=False),
    Column("newsletter_id", Id),
    Column("subscriber_id", Id),
    Column("campaign_id", Id),
    Column("facts", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    # When it is tried next; null once it is delivered or given up.
    Column("due_at", Moment),
    Column("tries", Integer, nullable=False, default=0),
    Column("tried_at", Moment),
    # What came of the last try, in words.
    Column("result", Text),
    Index(
        "ix_outbox_waiting",
        "endpoint_id",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_outbox_endpoint_id", "endpoint_id", "id"),
    Index("ix_outbox_message_id", "message_id"),
    Index("ix_outbox_written_at", "written_at"),
)
