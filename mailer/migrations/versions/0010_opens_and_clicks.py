"""Count opens and clicks: what a newsletter and a campaign count, links, and sums of looks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Id

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tracking to newsletters and campaigns; make the tables links and looks."""
    for table in ("newsletters", "campaigns"):
        op.add_column(
            table,
            sa.Column("tracking", sa.String(length=16), nullable=False, server_default="off"),
        )
    op.create_table(
        "links",
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_links_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "number", name=op.f("pk_links")),
    )
    op.create_table(
        "looks",
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("link", sa.Integer(), nullable=False),
        sa.Column("looker", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_looks_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "type", "link", "looker", name=op.f("pk_looks")),
    )
