"""Requests to subscribe, and until when a person wants no issues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Id, Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table signups; let subscriptions pause."""
    op.add_column("subscriptions", sa.Column("paused_until", Moment(), nullable=True))
    op.create_table(
        "signups",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("newsletter_id", Id, nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("network_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("applied_at", Moment(), nullable=True),
        sa.Column("mail_at", Moment(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signups")),
    )
    op.create_index("ix_signups_network_hash", "signups", ["network_hash", "received_at"])
    op.create_index("ix_signups_address_hash", "signups", ["address_hash", "mail_at"])
    op.create_index(
        "ix_signups_waiting",
        "signups",
        ["id"],
        sqlite_where=sa.text("applied_at IS NULL"),
        postgresql_where=sa.text("applied_at IS NULL"),
    )
