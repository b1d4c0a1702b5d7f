"""Declare attributes, save segments, and let a campaign have one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of attributes and segments; give campaigns their segment."""
    op.create_table(
        "attribute_definitions",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_attribute_definitions")),
    )
    op.create_table(
        "segments",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("expression", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_segments")),
    )
    op.add_column("campaigns", sa.Column("segment", sa.Text(), nullable=True))
    for name in ("last_opened_at", "last_clicked_at"):
        op.add_column("subscriptions", sa.Column(name, Moment(), nullable=True))
