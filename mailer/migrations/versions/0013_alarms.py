"""Owners are told of campaigns that a rule holds; lanes hear of trouble behind the relay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Note since when an owner was not told, and when a lane's trouble was reported."""
    op.add_column("campaigns", sa.Column("alarm_at", Moment(), nullable=True))
    op.add_column("pacing", sa.Column("reported_at", Moment(), nullable=True))
