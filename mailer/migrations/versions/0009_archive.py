"""Whether a newsletter's issues may be read by anybody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column to newsletters; those there are have theirs open."""
    op.add_column(
        "newsletters", sa.Column("archive", sa.Boolean(), nullable=False, server_default=sa.true())
    )
