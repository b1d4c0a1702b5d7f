"""How far each issue under way had come when it last moved on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Id, Moment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table progress."""
    op.create_table(
        "progress",
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("tried", sa.Integer(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("told_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_progress_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_progress")),
    )
