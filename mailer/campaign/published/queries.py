"""Which issues anybody may read, and old issues taken in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import RowMapping, func, select
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.published.model import Published
from mailer.campaign.tables import campaigns
from mailer.render.model import Rendering


def published(session: Session, newsletter_id: int) -> list[Published]:
    """A newsletter's issues that are out, newest first.

    What went to a segment alone is not for everybody, and a test or a notice is no issue. A
    second edition or a correction stands in the place of the first.
    """
    # What a correction, or another edition without a number, belongs to.
    root = func.coalesce(campaigns.c.corrects, campaigns.c.id).label("root")
    query = (
        select(
            campaigns.c.id,
            campaigns.c.newsletter_id,
            campaigns.c.issue_number,
            campaigns.c.subject,
            campaigns.c.due_at,
            campaigns.c.checksum,
            campaigns.c.segment,
            root,
        )
        .where(
            campaigns.c.newsletter_id == newsletter_id,
            campaigns.c.kind == CampaignKind.ISSUE,
            campaigns.c.snapshot_at.is_not(None),
            campaigns.c.state != CampaignState.CANCELLED,
        )
        .order_by(campaigns.c.id)
    )
    found: dict[str, Published] = {}
    names: dict[int, str] = {}
    contents: dict[str, str] = {}
    private: set[int] = set()
    for row in session.execute(query).mappings():
        if row["segment"] is not None or row["root"] in private:
            private.add(row["id"])
            continue
        name = _name(row, names, contents)
        first = found.get(name)
        found[name] = Published(
            campaign_id=row["id"],
            newsletter_id=row["newsletter_id"],
            number=first.number if first else row["issue_number"],
            name=name,
            title=row["subject"],
            at=first.at if first else row["due_at"],
            changed_at=row["due_at"],
        )
    return sorted(found.values(), key=lambda one: (one.at, one.campaign_id), reverse=True)


def _name(row: RowMapping, names: dict[int, str], contents: dict[str, str]) -> str:
    """The address's last part: that of what it corrects or repeats, else one of its own."""
    own = f"c{row['id']}" if row["issue_number"] is None else str(row["issue_number"])
    name = names.get(row["root"]) or contents.get(row["checksum"]) or own
    names[row["id"]] = name
    contents.setdefault(row["checksum"], name)
    return name


def add_old(
    session: Session,
    rendering: Rendering,
    *,
    newsletter_id: int,
    number: int | None,
    at: datetime,
    timezone: str,
    now: datetime,
) -> int:
    """Take in an issue that went out elsewhere: finished, with nobody in its ledger.

    Its number and content count as scheduled, so that they are not sent by accident. Raises
    AlreadyScheduled where there is an issue of this number or content.
    """
    return campaign_queries.add(
        session,
        rendering,
        kind=CampaignKind.ISSUE,
        newsletter_id=newsletter_id,
        issue_number=number,
        checksum=rendering.checksum,
        edition=0,
        due_at=at,
        timezone=timezone,
        over_at=at,
        now=now,
    )
