"""Issues with copies and answers in a real database, and the same in plain lists to count by."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from mailer.campaign.model import CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery.tables import deliveries, intents
from subscribers.database import Database
from subscribers.model import Newsletter, Tracking
from subscribers.tables import events, subscribers, subscriptions
from tests.integration.feedback.world import World, rendering
from tests.integration.operate.conftest import at_home, home, home_on_sqlite

__all__ = ["at_home", "home", "home_on_sqlite"]

Row = dict[str, object]
LANES = ("gmail", "outlook", "other")
#: State, reason, and what was heard later.
FATES = (
    ("sent", None, None),
    ("sent", None, "delivered"),
    ("sent", None, "bounced"),
    ("sent", None, "complained"),
    ("failed", "no-such-user", None),
    ("failed", "spam", None),
    ("unknown", "network", None),
    ("skipped", "suppressed", None),
)


@dataclass
class Books:
    """What was written, by hand, beside the database."""

    world: World
    chance: random.Random
    copies: list[Row] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)
    places: list[Row] = field(default_factory=list)

    @property
    def newsletter(self) -> Newsletter:
        return self.world.newsletters["weekly"]

    def add_people(self, count: int, *, slug: str = "weekly") -> None:
        """People who came at any time in the last year, and some of whom left."""
        world, now = self.world, self.world.now
        with world.database.write() as session:
            first = len(self.places) + 1
            people = range(first, first + count)
            session.execute(
                insert(subscribers), [{"id": person, "created_at": now} for person in people]
            )
            rows = [self._place(person, slug, now) for person in people]
            session.execute(insert(subscriptions), rows)
        self.places += rows

    def _place(self, person: int, slug: str, now: datetime) -> Row:
        joined = now - timedelta(seconds=self.chance.randrange(365 * 86400))
        status = self.chance.choice(
            ["active", "active", "active", "unsubscribed", "bounced", "complained", "pending"]
        )
        left = None
        # Some left at a time that nobody knows.
        if status not in ("active", "pending") and self.chance.random() < 0.9:
            left = joined + (now - joined) * self.chance.random()
        return {
            "newsletter_id": self.world.newsletters[slug].id,
            "subscriber_id": person,
            "status": status,
            "joined_at": joined,
            "left_at": left,
            "source": self.chance.choice(["web", "import", "cli", "fair"]),
            "soft_bounces": 0,
        }

    def add_issue(
        self,
        copies: int,
        *,
        subject: str = "Hello",
        ago: timedelta = timedelta(days=3),
        slug: str = "weekly",
        tracking: Tracking = Tracking.OFF,
    ) -> int:
        """An issue that is over, with copies of every fate; gives its campaign's number."""
        begun = self.world.now - ago
        campaign = self.world.add_campaign(rendering(), slug=slug, tracking=tracking)
        with self.world.database.write() as session:
            session.execute(
                update(campaigns)
                .where(campaigns.c.id == campaign)
                .values(
                    state=CampaignState.FINISHED,
                    audience=copies,
                    subject=subject,
                    snapshot_at=begun,
                    planned_at=begun,
                    finished_at=begun + timedelta(minutes=15),
                )
            )
            rows = [self._copy(campaign, number, begun) for number in range(copies)]
            answers = [answer for row in rows for answer in self._answers(row)]
            tried = [self._intent(row) for row in rows if row["attempt"]]
            for table, lines in ((deliveries, rows), (intents, tried), (events, answers)):
                if lines:
                    session.execute(insert(table), lines)
        self.copies += rows
        self.answers += answers
        return campaign

    def _copy(self, campaign: int, number: int, begun: datetime) -> Row:
        state, reason, later = self.chance.choice(FATES)
        return {
            "id": campaign * 1000 + number,
            "campaign_id": campaign,
            "kind": "issue",
            "subscriber_id": number + 1,
            "address_hash": campaign.to_bytes(8, "big") + number.to_bytes(8, "big"),
            "lane": self.chance.choice(LANES),
            "state": state,
            "attempt": 0 if state == "skipped" else 1,
            "reason": reason,
            "changed_at": begun + timedelta(seconds=self.chance.random() * 600),
            "later": later,
        }

    def _intent(self, row: Row) -> Row:
        return {
            "delivery_id": row["id"],
            "attempt": 1,
            "chunk_id": 1,
            "token": 1,
            "worker": "a",
            "relay": "default",
            "at": row["changed_at"],
        }

    def _answers(self, row: Row) -> Iterator[Row]:
        """What was reported of a copy; bounces more than once, softly before for good."""
        kinds: list[tuple[str, str | None]] = []
        if row["later"] == "bounced" or row["reason"] == "no-such-user":
            hard = self.chance.random() < 0.5
            kinds = [("bounced", "soft")] * self.chance.randrange(1, 3)
            kinds += [("bounced", "hard")] if hard else []
        if row["later"] in ("complained", "delivered"):
            kinds.append((str(row["later"]), None))
        if row["state"] == "sent" and self.chance.random() < 0.2:
            kinds += [("unsubscribed", None)] * self.chance.randrange(1, 3)
        for place, (kind, hardness) in enumerate(kinds):
            yield {
                "type": kind,
                "at": row["changed_at"],
                "recorded_at": row["changed_at"],
                "source": "test",
                "source_id": f"{row['id']}:{place}",
                "hardness": hardness,
                "reason": "unknown",
                "newsletter_id": self.newsletter.id,
                "subscriber_id": row["subscriber_id"],
                "campaign_id": row["campaign_id"],
                "delivery_id": row["id"],
                "effect": "",
                "evidence": {},
            }

    # --- counted here, one by one ---

    def copies_of(self, campaign: int, **values: object) -> list[Row]:
        """The copies of a campaign with these values."""
        return [
            row
            for row in self.copies
            if row["campaign_id"] == campaign
            and all(row[name] == value for name, value in values.items())
        ]

    def bounced(self, campaign: int) -> tuple[int, int]:
        """Copies that bounced hard, and softly alone."""
        hardness: dict[object, set[object]] = {}
        for one in self.answers:
            if one["campaign_id"] == campaign and one["type"] == "bounced":
                hardness.setdefault(one["delivery_id"], set()).add(one["hardness"])
        hard = sum("hard" in found for found in hardness.values())
        return hard, len(hardness) - hard

    def people_who(self, kind: str, campaign: int) -> int:
        """How many people answered so."""
        return len(
            {
                one["subscriber_id"]
                for one in self.answers
                if one["campaign_id"] == campaign and one["type"] == kind
            }
        )


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Two newsletters in an otherwise empty database, of each kind in turn."""
    made = World(database=Database(database_url), now=datetime(2026, 12, 2, 12, 30, tzinfo=UTC))
    made.add_newsletter("weekly")
    made.add_newsletter("daily", double_opt_in=False)
    yield made
    made.database.dispose()


@pytest.fixture
def books(world: World, chance: random.Random) -> Books:
    """Nothing in them yet."""
    return Books(world=world, chance=chance)
