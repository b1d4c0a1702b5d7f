"""A newsletter with people, and campaigns for them, in a real database."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from sqlalchemy import insert, select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind, CampaignState, Canary
from mailer.delivery import gate
from mailer.delivery.model import Claim, Outcome, Phase, Verdict
from mailer.delivery.plan import plan
from mailer.delivery.tables import deliveries
from mailer.render.model import FORMAT, Rendering
from mailer.settings import DkimSettings
from subscribers.database import Database
from subscribers.tables import newsletters, subscribers, subscriptions
from subscribers.token import Keyring

LATE = timedelta(hours=1)


def simple_rendering(words: str = "Hello") -> Rendering:
    """A rendering without slots."""
    return Rendering(
        format=FORMAT,
        nonce="00c0ffee",
        lang="en",
        direction="ltr",
        title=words,
        subject=words,
        preheader=words,
        html=f"<p>{words}</p>",
        text=words,
        slots=(),
        conditions=(),
    )


@dataclass
class World:
    """One database with one newsletter; `now` is what the clock shows."""

    database: Database
    keyring: Keyring = field(default_factory=Keyring.generate)
    now: datetime = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
    newsletter_id: int = 0
    worker: str = "a"

    def add_newsletter(self) -> None:
        """Make the newsletter."""
        with self.database.write() as session:
            self.newsletter_id = session.execute(
                insert(newsletters)
                .values(
                    slug="weekly",
                    name="Weekly",
                    from_name="Weekly",
                    from_address="weekly@example.com",
                    postal_address="1 Road",
                    url="https://example.com",
                    language="en",
                    timezone="UTC",
                    theme="digest",
                    double_opt_in=False,
                    soft_bounce_limit=5,
                    give_up_after=3600,
                    unknown_policy="hold",
                    created_at=self.now,
                )
                .returning(newsletters.c.id)
            ).scalar_one()

    def add_people(self, *addresses: str, status: str = "active") -> list[int]:
        """Subscribe people; gives their ids."""
        ids = []
        with self.database.write() as session:
            for address in addresses:
                domain = address.partition("@")[2]
                person = session.execute(
                    insert(subscribers)
                    .values(
                        address=address,
                        address_key=address,
                        address_hash=self.keyring.address_hash(address),
                        domain=domain,
                        domain_hash=self.keyring.domain_hash(domain),
                        name=address.partition("@")[0],
                        attributes={},
                        tags=[],
                        created_at=self.now,
                    )
                    .returning(subscribers.c.id)
                ).scalar_one()
                session.execute(
                    insert(subscriptions).values(
                        newsletter_id=self.newsletter_id,
                        subscriber_id=person,
                        status=status,
                        joined_at=self.now,
                        source="test",
                        soft_bounces=0,
                    )
                )
                ids.append(person)
        return ids

    def set_status(self, person: int, status: str) -> None:
        """Change where a person stands."""
        with self.database.write() as session:
            session.execute(
                update(subscriptions)
                .where(subscriptions.c.subscriber_id == person)
                .values(status=status)
            )

    def add_campaign(
        self,
        *,
        edition: int = 0,
        leave_out: tuple[int, ...] = (),
        words: str = "Hello",
        rendering: Rendering | None = None,
        canary: Canary | None = None,
        corrects: int | None = None,
        local_at: str | None = None,
        timezone: str = "UTC",
        number: int | None = None,
        also: tuple[int, ...] = (),
    ) -> int:
        """Schedule a campaign for now."""
        rendering = rendering or simple_rendering(words)
        with self.database.write() as session:
            return campaign_queries.add(
                session,
                rendering,
                kind=CampaignKind.ISSUE,
                newsletter_id=self.newsletter_id,
                also=also,
                issue_number=number,
                checksum=rendering.checksum,
                edition=edition,
                due_at=self.now,
                timezone=timezone,
                local_at=local_at,
                leave_out=leave_out,
                canary=canary,
                corrects=corrects,
                now=self.now,
            )

    def plan(self, campaign_id: int, *, chunk_size: int = 500, range_size: int = 5000) -> None:
        """Start a campaign and write its snapshot."""
        with self.database.write() as session:
            campaign_queries.start_due(session, now=self.now, late_after=LATE)
        plan(
            self.database,
            campaign_id,
            now=self.now,
            chunk_size=chunk_size,
            range_size=range_size,
        )

    def claim(self, *, lease: float = 60, worker: str | None = None) -> Claim | None:
        """Claim what comes next."""
        with self.database.write() as session:
            return gate.claim(
                session,
                worker=worker or self.worker,
                now=self.now,
                lease=timedelta(seconds=lease),
                late_after=LATE,
            )

    def pass_gate(
        self,
        claim: Claim,
        ids: list[int],
        *,
        worker: str | None = None,
        asked_before: bool = False,
    ) -> gate.Passed:
        """Ask the gate."""
        with self.database.write() as session:
            return gate.pass_gate(
                session,
                claim,
                ids,
                worker=worker or self.worker,
                relay="default",
                now=self.now,
                late_after=LATE,
                asked_before=asked_before,
            )

    def ids(self, campaign_id: int) -> list[int]:
        """The campaign's deliveries."""
        with self.database.read() as session:
            return [
                *session.execute(
                    select(deliveries.c.id)
                    .where(deliveries.c.campaign_id == campaign_id)
                    .order_by(deliveries.c.id)
                ).scalars()
            ]

    def states(self, campaign_id: int) -> list[str]:
        """The states of the campaign's deliveries, by id."""
        with self.database.read() as session:
            return [
                *session.execute(
                    select(deliveries.c.state)
                    .where(deliveries.c.campaign_id == campaign_id)
                    .order_by(deliveries.c.id)
                ).scalars()
            ]

    def state(self, campaign_id: int) -> CampaignState:
        """The campaign's own state."""
        with self.database.read() as session:
            return campaign_queries.get(session, campaign_id).state

    def outcome(
        self, delivery_id: int, verdict: Verdict, *, attempt: int = 1, code: int = 250
    ) -> Outcome:
        """How an attempt ended."""
        return Outcome(
            delivery_id=delivery_id,
            attempt=attempt,
            verdict=verdict,
            phase=Phase.REPLY,
            at=self.now,
            code=code,
        )


@dataclass(frozen=True, kw_only=True)
class Published:
    """Keys of both kinds, and the DNS that has their public halves."""

    settings: DkimSettings
    records: dict[bytes, bytes]

    def look_up(self, name: bytes, timeout: float = 5) -> bytes | None:
        """What dkimpy asks for."""
        return self.records.get(name)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Two keys to sign with for example.org."""
    folder = tmp_path_factory.mktemp("dkim")
    by_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    by_ed25519 = ed25519.Ed25519PrivateKey.generate()
    for name, key in (("rsa", by_rsa), ("ed25519", by_ed25519)):
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / name).write_bytes(pem)
    der = by_rsa.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    raw = by_ed25519.public_key().public_bytes_raw()
    return Published(
        settings=DkimSettings(
            domain="example.org",
            rsa_selector="r",
            rsa_key=folder / "rsa",
            ed25519_selector="e",
            ed25519_key=folder / "ed25519",
        ),
        records={
            b"r._domainkey.example.org.": b"v=DKIM1; k=rsa; p=" + base64.b64encode(der),
            b"e._domainkey.example.org.": b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw),
        },
    )


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A database with one newsletter, of each kind in turn."""
    database = Database(database_url)
    made = World(database=database)
    made.add_newsletter()
    yield made
    database.dispose()
