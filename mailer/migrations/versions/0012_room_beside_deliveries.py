"""Room beside each delivery, so that PostgreSQL need not touch its indexes when it changes."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave room on the pages of deliveries written from now on; SQLite has no such thing."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE deliveries SET (fillfactor = 60)")
