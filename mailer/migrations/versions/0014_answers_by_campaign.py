"""Bounces, complaints and leaves are found by their campaign: reports count them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ANSWERS = sa.text("type IN ('bounced', 'complained', 'unsubscribed')")


def upgrade() -> None:
    """Add an index of few of the events."""
    op.create_index(
        "ix_events_campaign_id",
        "events",
        ["campaign_id"],
        sqlite_where=_ANSWERS,
        postgresql_where=_ANSWERS,
    )
