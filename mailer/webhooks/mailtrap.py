"""Mailtrap: proves itself by HTTP Basic, or signs the body; events in batches or JSON lines.

Names follow "Webhooks" in Mailtrap's documentation.
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
    "delivery": EventType.DELIVERED,
    "bounce": EventType.BOUNCED,
    # Tried again for a day; what never arrives becomes a bounce.
    "soft_bounce": EventType.DEFERRED,
    "reject": EventType.BOUNCED,
    # Mailtrap holds the message back for a while.
    "suspension": EventType.DEFERRED,
    "spam_complaint": EventType.COMPLAINED,
    "spam": EventType.COMPLAINED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check `Mailtrap-Signature` where a secret is set for it, else the password."""
    section = settings.mailtrap
    if section.secret is not None:
        given = request.headers.get("mailtrap-signature", "")
        prove.hmac_hex(section.secret.get_secret_value(), request.body, given)
    else:
        given = request.headers.get("authorization", "")
        prove.password(given, username=section.username, secret=section.key)
    return prove.body_id(request.body)


def parse(received: Received) -> Report:
    """Read a batch: an object with `events`, or one JSON document a line."""
    lines = received.body.strip().split(b"\n")
    if len(lines) > 1 and received.body.lstrip()[:1] == b"{" and lines[0].rstrip()[-1:] == b"}":
        return report(
            listed([read_json(line) for line in lines if line.strip()]), _events, received
        )
    parsed = read_json(received.body)
    inner = parsed.get("events", parsed) if isinstance(parsed, dict) else parsed
    return report(listed(inner), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    name = item.text("event").replace(" ", "_")
    if name.startswith(("activity_log.", "audit_log.", "inbound.")):
        raise Passed(name)
    kind = kind_of(_TYPES, name)
    said = item.first("response", "reason")
    hardness, reason = (
        _blame(name, item, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    )
    yield ReportedEvent(
        id=item.id("event_id"),
        type=kind,
        at=item.moment("timestamp") or received.at,
        recipient=item.address("email"),
        hardness=hardness,
        reason=reason,
        token=item.token("custom_variables"),
        provider_id=item.text("message_id", most=255),
        text=said,
    )


def _blame(name: str, item: Item, said: str) -> tuple[Hardness, Reason]:
    if name == "reject":
        return blame(False, Reason.RELAY)
    return blame(name == "bounce", said=said, code=item.number("response_code"))


SAMPLE = {
    "events": [
        {
            "event": "bounce",
            "timestamp": "{now}",
            "message_id": "1df37d17-0286-4d8b-8edf-bc4ec5be86e6",
            "email": "nobody@example.com",
            "event_id": "{id}",
            "response": "550 5.1.1 The mailbox does not exist",
            "response_code": 550,
            "bounce_category": "bad_mailbox",
        }
    ]
}
