"""The tables of campaigns and their frozen renderings."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from subscribers.database import Id, Moment, metadata
from subscribers.tables import newsletters

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("newsletter_id", Id, ForeignKey(newsletters.c.id), nullable=False),
    # The further newsletters whose readers get it too, in order: their ids.
    Column("also", JSON, nullable=False, default=list),
    # Null for what has no number: tests, notices, issues without one.
    Column("issue_number", Integer),
    # 0 the first time; counts up with each `--again`. The two unique keys below are what
    # keeps the same issue from being scheduled twice, whoever tries at the same moment.
    Column("edition", Integer, nullable=False),
    # SHA-256 of the frozen content; tests and notices add a nonce.
    Column("checksum", String(80), nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("timezone", String(64), nullable=False),
    # What each person's own clock shows when they get it, `2026-12-01 09:00`; null: all at once.
    Column("local_at", String(16)),
    Column("created_at", Moment, nullable=False),
    # The snapshot walks subscriptions by id up to a bound fixed when it starts.
    Column("snapshot_at", Moment),
    Column("snapshot_cursor", Id, nullable=False, default=0),
    Column("snapshot_bound", Id, nullable=False, default=0),
    Column("planned_at", Moment),
    Column("finished_at", Moment),
    Column("alive_at", Moment, nullable=False),
    # When a worker last took a chunk of it: campaigns take turns.
    Column("served_at", Moment),
    Column("pause_reason", Text),
    # Since when a rule holds it and its owner was not told; null otherwise.
    Column("alarm_at", Moment),
    # What its owner was told of its course; null where there is nothing to tell.
    Column("owner_knows", String(16)),
    Column("audience", Integer, nullable=False, default=0),
    # Which earlier campaigns' recipients are left out (`--again`): their ids.
    Column("leave_out", JSON, nullable=False, default=list),
    # The condition on people, in the language of segments; null: everybody who may receive.
    Column("segment", Text),
    # A canary: so many copies go first, then the campaign waits so many seconds, from when.
    Column("canary_size", Integer),
    Column("canary_hold", Integer),
    Column("canary_at", Moment),
    # Chunks of this wave and those before it may be claimed; the canary is wave 0.
    Column("wave", Integer, nullable=False, default=0),
    # The shares at which the fuse blew last: {lane: {figure: share}}; only worse ones count anew.
    Column("fuse_blown", JSON(none_as_null=True)),
    # The campaign whose recipients, and nobody else, get this one.
    Column("corrects", Id),
    # What is counted of its opens and clicks, frozen with its content.
    Column("tracking", String(16), nullable=False, default="off"),
    # When its ledger was rolled up: deliveries are gone, their sums stand in `rollups`.
    Column("archived_at", Moment),
    UniqueConstraint("newsletter_id", "issue_number", "edition"),
    UniqueConstraint("newsletter_id", "checksum", "edition"),
    Index("ix_campaigns_state", "state", "due_at"),
)

#: The frozen content, apart from the row that is read all the time.
renderings = Table(
    "renderings",
    metadata,
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), primary_key=True),
    Column("format", Integer, nullable=False),
    # Rendering.to_json()
    Column("content", Text, nullable=False),
)

#: The links of a tracked campaign by the numbers that stand in its mail.
links = Table(
    "links",
    metadata,
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("url", Text, nullable=False),
)

#: Images that lay beside issues, by `<hash>.<ext>`: every host's web process serves them.
images = Table(
    "images",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
)
