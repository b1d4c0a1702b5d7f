"""The ledger: deliveries in chunks; intents and outcomes, appended and never rewritten."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from mailer.campaign.tables import campaigns
from subscribers.database import Id, Moment, metadata

chunks = Table(
    "chunks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), nullable=False),
    Column("lane", String(32), nullable=False),
    # Smaller goes first: notices and tests before issues.
    Column("priority", Integer, nullable=False, default=5),
    Column("size", Integer, nullable=False),
    # Claimable once its campaign has come to this wave; the canary is wave 0.
    Column("wave", Integer, nullable=False, default=0),
    # Null once every delivery in it is final; else when it may be worked on.
    Column("due_at", Moment),
    # Never before this moment, whatever becomes of its campaign: when its people's own clocks
    # show the time; null where all are sent at once.
    Column("opens_at", Moment),
    # The fencing token: counts up with every claim. A gate with an older one lets nothing fly.
    Column("token", Integer, nullable=False, default=0),
    Column("owner", String(64)),
    Column("lease_until", Moment),
    # When the clock last woke a worker for it.
    Column("woken_at", Moment),
    Index("ix_chunks_campaign_id", "campaign_id"),
    Index(
        "ix_chunks_due",
        "campaign_id",
        "priority",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), nullable=False),
    Column("kind", String(16), nullable=False),
    # Null where somebody typed the address (a test) and it is nobody's.
    Column("subscriber_id", Id),
    # Only where there is no subscriber to read it from.
    Column("to_address", Text),
    # The address by its keyed hash: nobody is twice in one campaign.
    Column("address_hash", LargeBinary(16), nullable=False),
    # By whose consent its person gets it, where that is a further newsletter of the campaign;
    # null: the campaign's own.
    Column("newsletter_id", Id),
    # Null until it lies in a chunk, and for those skipped at once.
    Column("chunk_id", Id),
    Column("lane", String(32), nullable=False),
    Column("relay", String(64)),
    Column("state", String(16), nullable=False),
    # The number of the newest attempt; 0 before the first.
    Column("attempt", Integer, nullable=False, default=0),
    Column("first_at", Moment),
    Column("due_at", Moment),
    Column("reason", String(32)),
    Column("changed_at", Moment, nullable=False),
    # What the world said later: delivered, bounced, complained.
    Column("later", String(16)),
    Column("later_at", Moment),
    UniqueConstraint("campaign_id", "address_hash"),
    Index("ix_deliveries_chunk_id", "chunk_id"),
    Index("ix_deliveries_subscriber_id", "subscriber_id"),
    # Few of many: what the fuse counts.
    Index(
        "ix_deliveries_came_back",
        "campaign_id",
        "lane",
        "later",
        sqlite_where=text("later IN ('bounced', 'complained')"),
        postgresql_where=text("later IN ('bounced', 'complained')"),
    ),
    # Each row is written again when its copy flies and when it has landed: with room beside it
    # PostgreSQL need not touch its indexes for that.
    postgresql_with={"fillfactor": 60},
)

#: Leave to fly: one row before any byte that could complete a message.
intents = Table(
    "intents",
    metadata,
    Column("delivery_id", Id, ForeignKey(deliveries.c.id), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("chunk_id", Id, nullable=False),
    Column("token", Integer, nullable=False),
    Column("worker", String(64), nullable=False),
    Column("relay", String(64), nullable=False),
    Column("at", Moment, nullable=False),
)

#: How attempts ended. A presumed `unknown` may be followed by what is known after all.
outcomes = Table(
    "outcomes",
    metadata,
    Column("delivery_id", Id, ForeignKey(deliveries.c.id), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("verdict", String(16), primary_key=True),
    Column("phase", String(16), nullable=False),
    Column("code", Integer, nullable=False),
    Column("enhanced", String(16)),
    Column("reason", String(32), nullable=False),
    Column("reply", Text, nullable=False),
    Column("provider_id", String(255)),
    Column("at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Index(
        "ix_outcomes_provider_id",
        "provider_id",
        sqlite_where=text("provider_id IS NOT NULL"),
        postgresql_where=text("provider_id IS NOT NULL"),
    ),
)

#: How fast a lane of a relay may go, and what is spent of it; lane "" is the whole relay.
#: Only lanes with a limit, or in trouble, have a row.
pacing = Table(
    "pacing",
    metadata,
    Column("relay", String(64), primary_key=True),
    Column("lane", String(32), primary_key=True),
    # What a person has set; null is no limit.
    Column("per_second", Float),
    Column("per_hour", Integer),
    Column("per_day", Integer),
    Column("connections", Integer),
    Column("warmup_start", Date),
    Column("warmup_first", Integer),
    Column("warmup_growth", Float, nullable=False, default=1.5),
    # What is spent.
    Column("next_at", Moment, nullable=False),
    Column("hour_at", Moment, nullable=False),
    Column("hour_spent", Integer, nullable=False, default=0),
    Column("day_at", Moment, nullable=False),
    Column("day_spent", Integer, nullable=False, default=0),
    # How slow trouble has made it: messages a second, null where it has not.
    Column("rate", Float),
    Column("peak", Float),
    Column("slowed_at", Moment),
    # When somebody behind the relay said so, and no worker has heeded it yet.
    Column("reported_at", Moment),
)

#: Connections that worker processes may have busy in a lane, for a few seconds each.
connection_grants = Table(
    "connection_grants",
    metadata,
    Column("relay", String(64), primary_key=True),
    Column("lane", String(32), primary_key=True),
    Column("worker", String(64), primary_key=True),
    Column("connections", Integer, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

#: Which lane the mail of a domain goes by: looked up, or set by a person.
domains = Table(
    "domains",
    metadata,
    Column("domain", String(255), primary_key=True),
    Column("lane", String(32), nullable=False),
    Column("source", String(16), nullable=False),
    Column("looked_up_at", Moment, nullable=False),
)

#: How copies fared in the dialogue with the relay: each worker adds to rows of its own, so that
#: the fuse reads a few sums instead of a ledger.
tallies = Table(
    "tallies",
    metadata,
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), primary_key=True),
    Column("lane", String(32), primary_key=True),
    Column("worker", String(64), primary_key=True),
    # Taken, or refused for good.
    Column("tried", Integer, nullable=False),
    # Refused because of the address.
    Column("hard", Integer, nullable=False),
    # Refused because of us: content, policy, reputation.
    Column("refused", Integer, nullable=False),
)

#: How far each issue under way had come when it last moved on: one that stands still is told of.
progress = Table(
    "progress",
    metadata,
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), primary_key=True),
    Column("tried", Integer, nullable=False),
    Column("since", Moment, nullable=False),
    # When its owner was told; null once it has moved on.
    Column("told_at", Moment),
)

#: Sums of deliveries that were rolled up; "" stands for no reason, and for nothing heard later.
rollups = Table(
    "rollups",
    metadata,
    Column("campaign_id", Id, ForeignKey(campaigns.c.id), primary_key=True),
    Column("state", String(16), primary_key=True),
    Column("reason", String(32), primary_key=True),
    Column("later", String(16), primary_key=True),
    Column("copies", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_at", Moment),
    Column("last_at", Moment),
)
