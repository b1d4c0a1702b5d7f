"""Keep what a suppression names, until the person is erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give suppressions their value."""
    op.add_column("suppressions", sa.Column("value", sa.Text(), nullable=True))
