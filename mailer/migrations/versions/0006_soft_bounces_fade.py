"""Let soft bounces fade: when the last one came, and how soon a newsletter forgets one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column to subscriptions and one to newsletters."""
    op.add_column("subscriptions", sa.Column("soft_bounced_at", Moment(), nullable=True))
    op.add_column(
        "newsletters",
        sa.Column("soft_bounce_days", sa.Integer(), nullable=False, server_default="30"),
    )
