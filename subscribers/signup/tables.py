"""Requests to subscribe that wait to be looked at, and what counts against floods."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, LargeBinary, Table, Text, text

from subscribers.database import Id, Moment, metadata

signups = Table(
    "signups",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("newsletter_id", Id, nullable=False),
    # Keyed hashes: to count by, after the rest is gone.
    Column("address_hash", LargeBinary(16), nullable=False),
    Column("network_hash", LargeBinary(16), nullable=False),
    Column("received_at", Moment, nullable=False),
    # Address, language, form and words; emptied once it was looked at.
    Column("body", JSON, nullable=False),
    Column("applied_at", Moment),
    # When the question whether the address is theirs leaves, if it does.
    Column("mail_at", Moment),
    # What came of it, in words without an address.
    Column("result", Text),
    Index("ix_signups_network_hash", "network_hash", "received_at"),
    Index("ix_signups_address_hash", "address_hash", "mail_at"),
    Index(
        "ix_signups_waiting",
        "id",
        sqlite_where=text("applied_at IS NULL"),
        postgresql_where=text("applied_at IS NULL"),
    ),
)
