"""Campaigns for the readers of several newsletters, and by whose consent each copy goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Id

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; of what is there, everything went by the campaign's own newsletter.

    For deliveries that is what null says: a big ledger is not written anew.
    """
    op.add_column("campaigns", sa.Column("also", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("deliveries", sa.Column("newsletter_id", Id, nullable=True))
