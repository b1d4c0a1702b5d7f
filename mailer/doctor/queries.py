"""What a database tells of itself; each function is one question."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mailer.campaign.model import CampaignState
from mailer.campaign.tables import campaigns


def version(session: Session) -> str:
    """Its name and version."""
    if session.get_bind().dialect.name == "sqlite":
        return f"SQLite {session.execute(text('SELECT sqlite_version()')).scalar_one()}"
    return f"PostgreSQL {session.execute(text('SHOW server_version')).scalar_one()}"


def clock(session: Session) -> datetime:
    """What its clock shows."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)  # it has none of its own
    shown: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return shown


def journal(session: Session) -> str:
    """How an SQLite file keeps its changes."""
    return str(session.execute(text("PRAGMA journal_mode")).scalar_one())


def size(session: Session) -> int:
    """How many bytes a PostgreSQL database takes."""
    return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def paused(session: Session) -> int:
    """How many campaigns wait for a person."""
    return session.execute(
        select(func.count()).select_from(campaigns).where(campaigns.c.state == CampaignState.PAUSED)
    ).scalar_one()
