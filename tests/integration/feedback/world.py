"""People with copies that were sent, in a real database, and signed requests about them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from standardwebhooks.webhooks import Webhook

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind
from mailer.delivery.tables import deliveries, intents, outcomes
from mailer.feedback import queries
from mailer.feedback.apply import apply_waiting
from mailer.feedback.model import Arrived
from mailer.feedback.tables import intake
from mailer.render.model import FORMAT, Rendering
from subscribers import address
from subscribers import queries as people
from subscribers.database import Database
from subscribers.model import Newsletter, Tracking
from subscribers.tables import events, subscriptions, suppressions
from subscribers.token import Keyring, Scope, make, make_verp

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
Json = dict[str, object]


def rendering(html: str = "<p>Hello</p>", **fields: object) -> Rendering:
    values: Json = {"subject": "Hello", "text": "Hello", "slots": (), "conditions": (), **fields}
    return Rendering(  # type: ignore[arg-type]
        format=FORMAT,
        nonce="00c0ffee",
        lang="en",
        direction="ltr",
        title="Hello",
        preheader="",
        html=html,
        **values,
    )


@dataclass
class World:
    """One database; `weekly` asks for confirmation, `daily` does not."""

    database: Database
    keyring: Keyring = field(default_factory=Keyring.generate)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    newsletters: dict[str, Newsletter] = field(default_factory=dict)
    _campaigns: int = 0

    def add_newsletter(self, slug: str = "weekly", *, double_opt_in: bool = True) -> Newsletter:
        fresh = Newsletter(
            id=0,
            slug=slug,
            name=slug.title(),
            from_name=slug.title(),
            from_address=f"{slug}@example.com",
            postal_address="1 Road",
            url="https://example.com",
            double_opt_in=double_opt_in,
        )
        with self.database.write() as session:
            self.newsletters[slug] = people.add_newsletter(session, fresh, now=self.now)
        return self.newsletters[slug]

    def add_person(self, text: str, *slugs: str) -> int:
        with self.database.write() as session:
            for slug in slugs or ("weekly",):
                person, _ = people.add(
                    session,
                    address.parse(text),
                    self.newsletters[slug],
                    keyring=self.keyring,
                    now=self.now,
                )
        return person

    def add_campaign(
        self,
        content: Rendering | None = None,
        *,
        slug: str = "weekly",
        kind: CampaignKind = CampaignKind.ISSUE,
        tracking: Tracking = Tracking.OFF,
    ) -> int:
        self._campaigns += 1
        with self.database.write() as session:
            return campaign_queries.add(
                session,
                content or rendering(),
                kind=kind,
                newsletter_id=self.newsletters[slug].id,
                issue_number=None,
                checksum=f"{self._campaigns}",
                edition=0,
                due_at=self.now,
                timezone="UTC",
                tracking=tracking,
                now=self.now,
            )

    def add_copy(
        self,
        campaign_id: int,
        text: str,
        person: int | None,
        *,
        state: str = "sent",
        provider_id: str | None = None,
        kind: CampaignKind = CampaignKind.ISSUE,
        by: str | None = None,
    ) -> int:
        """Enter a copy as if it had been sent; gives the delivery's id.

        `by`: the newsletter by whose consent, where it is not the campaign's own.
        """
        with self.database.write() as session:
            delivery_id: int = session.execute(
                insert(deliveries)
                .values(
                    campaign_id=campaign_id,
                    kind=kind,
                    newsletter_id=self.newsletters[by].id if by else None,
                    subscriber_id=person,
                    to_address=None if person else text,
                    address_hash=self.keyring.address_hash(address.parse(text).key),
                    lane="other",
                    state=state,
                    attempt=0 if state == "queued" else 1,
                    changed_at=self.now,
                )
                .returning(deliveries.c.id)
            ).scalar_one()
            if state in ("sent", "unknown", "failed"):
                session.execute(insert(intents).values(**self._attempt(delivery_id)))
                session.execute(
                    insert(outcomes).values(**self._outcome(delivery_id, state, provider_id))
                )
        return delivery_id

    def _attempt(self, delivery_id: int) -> Json:
        return {
            "delivery_id": delivery_id,
            "attempt": 1,
            "chunk_id": 1,
            "token": 1,
            "worker": "a",
            "relay": "default",
            "at": self.now,
        }

    def _outcome(self, delivery_id: int, state: str, provider_id: str | None) -> Json:
        return {
            "delivery_id": delivery_id,
            "attempt": 1,
            "verdict": state,
            "phase": "reply",
            "code": 250,
            "reason": "unknown",
            "reply": "",
            "provider_id": provider_id,
            "at": self.now,
            "recorded_at": self.now,
        }

    # --- what stands in the database ---

    def status(self, person: int, slug: str = "weekly") -> str:
        with self.database.read() as session:
            return session.execute(
                select(subscriptions.c.status).where(
                    subscriptions.c.subscriber_id == person,
                    subscriptions.c.newsletter_id == self.newsletters[slug].id,
                )
            ).scalar_one()

    def set_status(self, person: int, status: str) -> None:
        with self.database.write() as session:
            session.execute(
                update(subscriptions)
                .where(subscriptions.c.subscriber_id == person)
                .values(status=status)
            )

    def suppress(self, text: str) -> None:
        with self.database.write() as session:
            session.execute(
                insert(suppressions).values(
                    newsletter_id=0,
                    scope="address",
                    value_hash=self.keyring.address_hash(address.parse(text).key),
                    reason="no-such-user",
                    source="test",
                    at=self.now,
                )
            )

    def is_suppressed(self, text: str) -> bool:
        hashed = self.keyring.address_hash(address.parse(text).key)
        with self.database.read() as session:
            found = session.execute(
                select(suppressions.c.id).where(suppressions.c.value_hash == hashed)
            )
            return found.first() is not None

    def copy(self, delivery_id: int) -> tuple[str, str | None]:
        """The copy's state, and what the world said later."""
        with self.database.read() as session:
            row = session.execute(
                select(deliveries.c.state, deliveries.c.later).where(deliveries.c.id == delivery_id)
            ).one()
        return row.state, row.later

    def events(self, source: str = "generic") -> list[tuple[str, str]]:
        """What was recorded from a source: type and effect, or why it was ignored."""
        with self.database.read() as session:
            rows = session.execute(
                select(events.c.type, events.c.effect, events.c.evidence)
                .where(events.c.source == source)
                .order_by(events.c.id)
            )
            return [(row.type, row.evidence.get("ignored", row.effect)) for row in rows]

    def results(self) -> list[str | None]:
        """What came of the requests, by id."""
        with self.database.read() as session:
            return [*session.execute(select(intake.c.result).order_by(intake.c.id)).scalars()]

    def bodies(self) -> list[bytes]:
        """What is left of the requests, by id."""
        with self.database.read() as session:
            return [*session.execute(select(intake.c.body).order_by(intake.c.id)).scalars()]

    # --- reports ---

    def token(self, scope: Scope, delivery_id: int) -> str:
        return make(self.keyring, scope, delivery_id)

    def verp(self, delivery_id: int) -> str:
        return make_verp(self.keyring, delivery_id)

    def report(self, kind: str, *, id: str | None = None, **fields: object) -> Json:
        return {
            "id": id or secrets.token_hex(8),
            "type": kind,
            "at": self.now.isoformat(),
            **({"hard": True} if kind == "bounced" else {}),
            **fields,
        }

    def keep(self, body: bytes | Json | Sequence[Json], *, id: str | None = None) -> bool:
        """Keep a request, as the endpoint does once it has verified it."""
        return self.keep_all([(id or secrets.token_hex(8), body)])[0]

    def keep_all(
        self,
        requests: Sequence[tuple[str, bytes | Json | Sequence[Json]]],
        *,
        provider: str = "generic",
    ) -> list[bool]:
        """Keep many, in one transaction to be quick."""
        arrived = [
            Arrived(
                provider=provider,
                request_id=request_id,
                received_at=self.now,
                body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            )
            for request_id, body in requests
        ]
        with self.database.write() as session:
            return queries.keep_requests(session, arrived)

    def apply(self, limit: int = 100_000) -> int:
        return apply_waiting(self.database, self.keyring, now=self.now, limit=limit)


def sign(
    body: bytes, *, id: str = "m1", secret: str = SECRET, at: datetime | None = None
) -> dict[str, str]:
    """The three headers of a Standard Webhooks request."""
    moment = at or datetime.now(UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, moment, body.decode()),
    }
