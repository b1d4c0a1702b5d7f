"""A database full of people, with campaigns whose snapshot is written and which wait for a word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import func, insert, select, text, update

from bench import content
from bench.cpu import used_by_family
from bench.crowd import made_up
from mailer.campaign.model import CampaignState
from mailer.campaign.queries import start_due
from mailer.campaign.schedule import schedule
from mailer.campaign.tables import campaigns
from mailer.delivery.plan import plan
from mailer.delivery.tables import intents, outcomes
from mailer.settings import SendingSettings
from subscribers import queries as people
from subscribers.database import Database
from subscribers.model import Newsletter
from subscribers.tables import subscribers, subscriptions
from subscribers.token import Keyring
from tests.services import schema
from tests.services.postgres import PostgresServer

#: People written in one transaction.
_AT_ONCE = 10_000


@dataclass
class Ground:
    """A database, its keys in a file, its server's process where it has one."""

    kind: str
    url: str
    folder: Path
    server: psutil.Process | None = None

    def __post_init__(self) -> None:
        schema.build(self.url)
        self.database = Database(self.url)
        self.keyring = Keyring.generate()
        self.keys = self.folder / f"{self.kind}.keys"
        self.keys.write_text(self.keyring.to_text())
        with self.database.write() as session:
            self.newsletter: Newsletter = people.add_newsletter(
                session, content.NEWSLETTER, now=datetime.now(UTC)
            )

    @property
    def server_cpu(self) -> float:
        """CPU seconds that the database's server has used so far."""
        return used_by_family(self.server)

    def add_people(self, count: int) -> None:
        """Subscribe the first `count` people, in an empty database."""
        for start in range(1, count + 1, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count + 1))
            with self.database.write() as session:
                session.execute(insert(subscribers), [self._person(n) for n in numbers])
                session.execute(insert(subscriptions), [self._subscription(n) for n in numbers])
        with self.database.write() as session:
            session.execute(text("ANALYZE"))

    def add_many_people(self, count: int) -> None:
        """The same, written by the database itself: their hashes are made up."""
        with self.database.write() as session:
            for statement in made_up(count, self.newsletter.id, sqlite=self.database.is_sqlite):
                session.execute(text(statement))
        with self.database.write() as session:
            session.execute(text("ANALYZE"))

    def vacuum(self) -> None:
        """Clear away what was deleted (PostgreSQL)."""
        with self.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM"))

    def plan_campaign(self, issue: str) -> int:
        """Write the snapshot of a campaign and leave it paused; gives its id."""
        campaign = self.empty_campaign(issue)
        self.plan(campaign)
        self.set_state(campaign, CampaignState.PAUSED)
        return campaign

    def plan(self, campaign: int) -> None:
        """Write the snapshot of a campaign that is due."""
        size = SendingSettings().chunk_size
        plan(self.database, campaign, now=datetime.now(UTC), chunk_size=size)

    def empty_campaign(self, issue: str) -> int:
        """A campaign that is due and has no snapshot yet; gives its id."""
        now = datetime.now(UTC)
        rendered = content.rendering(issue)
        with self.database.write() as session:
            campaign = schedule(
                session,
                rendered,
                newsletter=self.newsletter,
                issue_number=None,
                due_at=now,
                timezone="UTC",
                now=now,
            )
            start_due(session, now=now, late_after=timedelta(hours=1))
        return campaign

    def set_state(self, campaign: int, state: CampaignState) -> None:
        """Let a campaign run, or hold it: the workers see it at their next gate or poll."""
        with self.database.write() as session:
            session.execute(
                update(campaigns)
                .where(campaigns.c.id == campaign)
                .values(state=state, alive_at=datetime.now(UTC))
            )

    def durable(self) -> int:
        """How many attempts have an outcome in the ledger, over all campaigns."""
        with self.database.read() as session:
            return session.execute(select(func.count()).select_from(outcomes)).scalar_one()

    def flying(self) -> bool:
        """Whether any attempt has an intent and no outcome."""
        with self.database.read() as session:
            begun = session.execute(select(func.count()).select_from(intents)).scalar_one()
            ended = session.execute(select(func.count()).select_from(outcomes)).scalar_one()
            return begun > ended

    def dispose(self) -> None:
        """Let go of the database."""
        self.database.dispose()

    def _person(self, number: int) -> dict[str, object]:
        address = content.address(number)
        domain = address.partition("@")[2]
        return {
            "id": number,
            "address": address,
            "address_key": address,
            "address_hash": self.keyring.address_hash(address),
            "domain": domain,
            "domain_hash": self.keyring.domain_hash(domain),
            "name": content.name(number),
            "language": "en",
            "attributes": content.attributes(number),
            "tags": [],
            "created_at": datetime.now(UTC),
        }

    def _subscription(self, number: int) -> dict[str, object]:
        return {
            "newsletter_id": self.newsletter.id,
            "subscriber_id": number,
            "status": "active",
            "joined_at": datetime.now(UTC),
            "source": "bench",
            "soft_bounces": 0,
        }


@contextmanager
def on_sqlite(folder: Path, name: str = "sqlite") -> Iterator[Ground]:
    """An embedded database with its shipped pragmas (WAL, synchronous=FULL)."""
    ground = Ground(kind=name, url=f"sqlite:///{folder / name}.db", folder=folder)
    try:
        yield ground
    finally:
        ground.dispose()


@contextmanager
def on_postgres(folder: Path) -> Iterator[Ground]:
    """A PostgreSQL of our own, as it comes, with fsync; raises ServiceMissing."""
    before = {child.pid for child in psutil.Process().children()}
    server = PostgresServer(durable=True)
    try:
        (parent,) = (c for c in psutil.Process().children() if c.pid not in before)
        ground = Ground(kind="postgres", url=server.url(), folder=folder, server=parent)
        try:
            yield ground
        finally:
            ground.dispose()
    finally:
        server.stop()
