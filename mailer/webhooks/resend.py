"""Resend: signed as Standard Webhooks says, under the names of Svix; one event a request.

Names follow "Webhooks, Event Types" in Resend's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Passed, header, kind_of, read_address, read_json, report
from mailer.webhooks.ses_bounce import ses_blame
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "email.scheduled": None,
    "email.sent": None,
    "email.delivered": EventType.DELIVERED,
    "email.delivery_delayed": EventType.DEFERRED,
    "email.bounced": EventType.BOUNCED,
    "email.suppressed": EventType.BOUNCED,
    "email.failed": EventType.BOUNCED,
    "email.complained": EventType.COMPLAINED,
    "email.opened": EventType.OPENED,
    "email.clicked": EventType.CLICKED,
    "email.received": None,
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the signature over id, time stamp and raw body; the id is `svix-id`."""
    headers = {
        name: request.headers.get(name.replace("webhook", "svix"), request.headers.get(name, ""))
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    return prove.standard_webhook(settings.resend.key, headers, request.body)


def parse(received: Received) -> Report:
    """Read the event: one for each of its recipients."""
    return report([read_json(received.body)], _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    name = item.text("type")
    if name.startswith(("contact.", "domain.")):
        raise Passed(name)
    kind = kind_of(_TYPES, name)
    data = item.item("data")
    said = data.text("bounce", "message") or data.text("failed", "reason")
    hardness, reason = _blame(name, data, said)
    named = data.raw("to")
    recipients = (
        [read_address(str(one)[:1_000]) for one in named] if isinstance(named, list) else []
    )
    for number, recipient in enumerate(recipients[:50] or [data.address("to")], start=1):
        yield ReportedEvent(
            id=received.id[:200] if number == 1 else f"{received.id[:190]}/{number}",
            type=kind,
            at=item.moment("created_at") or received.at,
            recipient=recipient,
            hardness=hardness,
            reason=reason,
            token=data.token("headers") or data.token("tags"),
            message_id=data.text("message_id", most=998)
            or header(data.raw("headers"), "message-id"),
            provider_id=data.text("email_id", most=255),
            text=said,
        )


def _blame(name: str, data: Item, said: str) -> tuple[Hardness | None, Reason]:
    bounce = data.item("bounce")
    if name == "email.bounced":
        # "The recipient's mail server permanently rejected the email", unless it says else.
        kind = bounce.text("type") or "Permanent"
        return ses_blame(kind, bounce.text("subType"), said=said)
    if name in ("email.suppressed", "email.failed"):
        return blame(False, Reason.RELAY)
    return None, Reason.UNKNOWN


SAMPLE = {
    "type": "email.bounced",
    "created_at": "{iso}",
    "data": {
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
        "to": ["nobody@example.com"],
        "bounce": {
            "type": "Permanent",
            "subType": "General",
            "message": "550 5.1.1 The mailbox does not exist",
        },
    },
}
