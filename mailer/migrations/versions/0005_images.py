"""Keep images that lay beside issues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from subscribers.database import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of images."""
    op.create_table(
        "images",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_images")),
    )
