"""The tables of people: newsletters, subscribers, what they agreed to, what happened."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
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

from subscribers.database import Id, Moment, metadata

newsletters = Table(
    "newsletters",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("from_name", Text, nullable=False),
    Column("from_address", Text, nullable=False),
    Column("reply_to", Text),
    Column("postal_address", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("language", String(35), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("theme", String(64), nullable=False),
    Column("double_opt_in", Boolean, nullable=False),
    Column("soft_bounce_limit", Integer, nullable=False),
    # After so many days one soft bounce is forgotten.
    Column("soft_bounce_days", Integer, nullable=False, default=30),
    Column("give_up_after", Integer, nullable=False),  # seconds
    Column("unknown_policy", String(16), nullable=False),
    # The relay its mail goes through; null: whichever is well, by weight.
    Column("relay", String(64)),
    # Whether issues that went out to all may be read by anybody.
    Column("archive", Boolean, nullable=False, default=True),
    # What is counted of opens and clicks in campaigns to come.
    Column("tracking", String(16), nullable=False, default="off"),
    # When an issue goes out that is given no time: `Mon 08:30`, perhaps with a zone.
    Column("slot", String(100)),
    # What its owner is told of its issues by mail.
    Column("owner_mail", String(16), nullable=False, default="all"),
    Column("created_at", Moment, nullable=False),
)

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    # Null once the person is erased: then no column holds the address any more.
    Column("address", Text),
    # What addresses are compared by; null once erased.
    Column("address_key", Text, unique=True),
    # Keyed hash of address_key, 16 bytes: what suppressions and deliveries are joined on.
    # Null once erased.
    Column("address_hash", LargeBinary(16), unique=True),
    Column("domain", String(255)),
    # Keyed hash of "@" + domain: what domain-wide suppressions are joined on.
    Column("domain_hash", LargeBinary(16)),
    Column("name", Text, nullable=False, default=""),
    Column("language", String(35)),
    Column("timezone", String(64)),
    Column("attributes", JSON, nullable=False, default=dict),
    Column("tags", JSON, nullable=False, default=list),
    Column("created_at", Moment, nullable=False),
    Column("erased_at", Moment),
    Index("ix_subscribers_domain", "domain"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("newsletter_id", Id, ForeignKey(newsletters.c.id), primary_key=True),
    Column("subscriber_id", Id, ForeignKey(subscribers.c.id), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("joined_at", Moment, nullable=False),
    Column("left_at", Moment),
    Column("source", String(64), nullable=False),
    # Soft bounces since the last delivery.
    Column("soft_bounces", Integer, nullable=False, default=0),
    Column("soft_bounced_at", Moment),
    # What segments and the sunset ask, kept when the events themselves are long gone.
    Column("last_opened_at", Moment),
    Column("last_clicked_at", Moment),
    # Until then the person wants no issues, and then again.
    Column("paused_until", Moment),
    Index("ix_subscriptions_subscriber_id", "subscriber_id"),
)

#: The attributes people may have: a name that is not here is a typing error.
attribute_definitions = Table(
    "attribute_definitions",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
)

#: Segments by name: conditions on people, kept in the words they were written in.
segments = Table(
    "segments",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("expression", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

#: Append-only: what a person agreed to or withdrew, when, how and in which words.
consents = Table(
    "consents",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("newsletter_id", Id, ForeignKey(newsletters.c.id), nullable=False),
    Column("subscriber_id", Id, ForeignKey(subscribers.c.id), nullable=False),
    Column("action", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("source", String(64), nullable=False),
    Column("evidence", JSON, nullable=False, default=dict),
    Index("ix_consents_subscriber_id", "subscriber_id"),
)

#: Addresses and domains that must never be mailed; they outlive the person's erasure.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    # Zero: for every newsletter. (Not null: a unique key takes two nulls for different.)
    Column("newsletter_id", Id, nullable=False, default=0),
    Column("scope", String(16), nullable=False),
    # The 16-byte keyed hash of the address key, or of "@" + domain.
    Column("value_hash", LargeBinary(16), nullable=False),
    # What it is the hash of, where somebody typed it; null once the person is erased.
    Column("value", Text),
    Column("reason", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("value_hash", "newsletter_id"),
)

#: What an issue is answered with, one by one and for good: few of many events, and what reports
#: count. SQLite takes the index below only where a query says so in these very words.
ANSWERS = "type IN ('bounced', 'complained', 'unsubscribed')"

#: Append-only: everything that was reported about a person or a message.
events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("type", String(16), nullable=False),
    Column("at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("source", String(64), nullable=False),
    Column("source_id", String(255), nullable=False),
    Column("hardness", String(8)),
    Column("reason", String(32), nullable=False),
    Column("newsletter_id", Id),
    Column("subscriber_id", Id),
    Column("campaign_id", Id),
    Column("delivery_id", Id),
    # What it changed, in words; "ignored: …" says why it changed nothing.
    Column("effect", Text, nullable=False),
    Column("evidence", JSON, nullable=False, default=dict),
    UniqueConstraint("source", "source_id"),
    Index("ix_events_subscriber_id", "subscriber_id"),
    Index("ix_events_delivery_id", "delivery_id"),
    Index(
        "ix_events_campaign_id",
        "campaign_id",
        sqlite_where=text(ANSWERS),
        postgresql_where=text(ANSWERS),
    ),
)
