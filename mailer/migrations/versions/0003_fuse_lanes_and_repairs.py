"""Canaries, tallies and what blew a fuse; lanes of domains; corrections; rolled-up ledgers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Id, Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns to campaigns and chunks; make the tables domains, tallies and rollups."""
    for column in (
        sa.Column("canary_size", sa.Integer(), nullable=True),
        sa.Column("canary_hold", sa.Integer(), nullable=True),
        sa.Column("canary_at", Moment(), nullable=True),
        sa.Column("wave", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("fuse_blown", sa.JSON(), nullable=True),
        sa.Column("corrects", Id, nullable=True),
        sa.Column("archived_at", Moment(), nullable=True),
    ):
        op.add_column("campaigns", column)
    op.add_column("chunks", sa.Column("wave", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "domains",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("lane", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("looked_up_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_domains")),
    )
    op.create_table(
        "tallies",
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("lane", sa.String(length=32), nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("tried", sa.Integer(), nullable=False),
        sa.Column("hard", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_tallies_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "lane", "worker", name=op.f("pk_tallies")),
    )
    op.create_index(
        "ix_deliveries_came_back",
        "deliveries",
        ["campaign_id", "lane", "later"],
        sqlite_where=sa.text("later IN ('bounced', 'complained')"),
        postgresql_where=sa.text("later IN ('bounced', 'complained')"),
    )
    op.create_table(
        "rollups",
        sa.Column("campaign_id", Id, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("later", sa.String(length=16), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_at", Moment(), nullable=True),
        sa.Column("last_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_rollups_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "state", "reason", "later", name=op.f("pk_rollups")),
    )
