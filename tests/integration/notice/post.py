"""What went out: every waiting notice sent through a real SMTP server, and read back."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from sqlalchemy import select

from mailer.campaign.tables import campaigns
from mailer.delivery.send import Sender
from mailer.delivery.tables import deliveries
from mailer.settings import RelaySettings, SendingSettings, Settings
from tests.integration.feedback.world import World
from tests.services.smtp import SmtpSink


def send_waiting(world: World, sink: SmtpSink, **relay: str) -> None:
    """Send all notices that are due, by a sender as any worker has it."""
    settings = Settings(
        public_url="https://news.example.com",
        relay=RelaySettings.model_validate({"host": sink.host, "port": sink.port, **relay}),
        sending=SendingSettings(flush_seconds=0.01, connect_timeout=5, reply_timeout=5),
    )
    with world.database.read() as session:
        ids = session.execute(select(campaigns.c.id).where(campaigns.c.kind == "notice")).scalars()
        ids = [*ids]
    for campaign_id in ids:
        sender = Sender(settings=settings, database=world.database, keyring=world.keyring)
        asyncio.run(sender.drain(campaign_id))


def mails(sink: SmtpSink) -> list[EmailMessage]:
    """What arrived, oldest first."""
    return [message_from_bytes(mail.content, policy=default) for mail in sink.received]  # type: ignore[misc]


def said(mail: EmailMessage) -> str:
    """The plain-text part."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def ledger(world: World) -> list[tuple[str, str | None]]:
    """Every notice's state and reason, by age."""
    with world.database.read() as session:
        rows = session.execute(
            select(deliveries.c.state, deliveries.c.reason)
            .where(deliveries.c.kind == "notice")
            .order_by(deliveries.c.id)
        )
        return [(row.state, row.reason) for row in rows]
