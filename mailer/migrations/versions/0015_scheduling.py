"""Issues by each person's own clock, a newsletter's weekly slot, and what owners are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Moment

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; owners hear nothing new of the campaigns that are there."""
    op.add_column("campaigns", sa.Column("local_at", sa.String(length=16), nullable=True))
    op.add_column("campaigns", sa.Column("owner_knows", sa.String(length=16), nullable=True))
    op.add_column("chunks", sa.Column("opens_at", Moment(), nullable=True))
    op.add_column("newsletters", sa.Column("slot", sa.String(length=100), nullable=True))
    op.add_column(
        "newsletters",
        sa.Column("owner_mail", sa.String(length=16), nullable=False, server_default="all"),
    )
