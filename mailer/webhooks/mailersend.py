"""MailerSend: an HMAC-SHA256 of the body in hexadecimal; one event a request.

Names follow "Webhooks" in MailerSend's developer documentation. Its first version nests what it
says in `email` and `morph`; the second one is flat, with `meta` for what a kind has of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Passed, kind_of, listed, read_json, report
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "queued": None,
    "processed": None,
    "sent": None,
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "soft_bounced": EventType.BOUNCED,
    "hard_bounced": EventType.BOUNCED,
    "opened": EventType.OPENED,
    "opened_unique": EventType.OPENED,
    "clicked": EventType.CLICKED,
    "clicked_unique": EventType.CLICKED,
    "unsubscribed": EventType.UNSUBSCRIBED,
    "spam_complaint": EventType.COMPLAINED,
    "spam_complaints": EventType.COMPLAINED,
    # On the account's own suppression list.
    "suppressed": EventType.BOUNCED,
    "survey_opened": None,
    "survey_submitted": None,
}
#: Whole families that are about the account, not about a message.
_ELSEWHERE = (
    "sender_identity.",
    "maintenance.",
    "inbound_forward.",
    "email_",
    "bulk_email.",
    "recipient.",
    "sms.",
    "webhook.",
)


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the header `Signature` over the raw body."""
    signature = request.headers.get("signature", "")
    prove.hmac_hex(settings.mailersend.key, request.body, signature)
    return prove.body_id(request.body)


def parse(received: Received) -> Report:
    """Read the event."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    full = item.text("type")
    if full.startswith(_ELSEWHERE):
        raise Passed(full)
    data = item.item("data")
    name = data.text("type") or full.removeprefix("activity.")
    kind = kind_of(_TYPES, name)
    email = data.item("email")
    said = _said(data)
    hardness, reason = _blame(name, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    yield ReportedEvent(
        id=data.id("id"),
        type=kind,
        at=data.moment("created_at") or item.moment("created_at") or received.at,
        recipient=email.address("recipient", "email") or data.address("recipient"),
        hardness=hardness,
        reason=reason,
        token=email.token("headers") or data.token("headers"),
        provider_id=email.text("message", "id", most=255) or data.text("message_id", most=255),
        text=said,
    )


def _said(data: Item) -> str:
    """What the receiving server, or MailerSend itself, gave as its reason."""
    meta = data.item("meta")
    reason = meta.first("bounce_reason", "reject_reason", "suppression_reason")
    later = f"{meta.text('bounce_code', most=20)} {reason}".strip()
    return data.item("morph").first("reason", "readable_reason") or later


def _blame(name: str, said: str) -> tuple[Hardness, Reason]:
    if name == "suppressed":
        return blame(False, Reason.RELAY)
    return blame(name == "hard_bounced", said=said)


SAMPLE = {
    "type": "activity.hard_bounced",
    "created_at": "{iso}",
    "data": {
        "id": "{id}",
        "type": "hard_bounced",
        "created_at": "{iso}",
        "email": {
            "message": {"id": "62fb66bef54a112e920b5493"},
            "recipient": {"email": "nobody@example.com"},
        },
        "morph": {"object": "recipient_bounce", "reason": "550 5.1.1 No such mailbox"},
    },
}
