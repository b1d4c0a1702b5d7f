"""Postal: RSA over the body with the server's own key; it leaves hard or soft to us.

Names follow "Payloads" under "Webhooks" in Postal's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Passed, kind_of, listed, read_json, report
from subscribers.event import EventType
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "MessageSent": EventType.DELIVERED,
    "MessageDelayed": EventType.DEFERRED,
    "MessageDeliveryFailed": EventType.BOUNCED,
    "MessageBounced": EventType.BOUNCED,
    # Held until somebody decides.
    "MessageHeld": None,
    "MessageLinkClicked": EventType.CLICKED,
    "MessageLoaded": EventType.OPENED,
    "DomainDNSError": None,
    "SendLimitApproaching": None,
    "SendLimitExceeded": None,
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the signature over the raw body: SHA-256 where Postal sends it, else SHA-1."""
    key = prove.read_key(settings.postal.key)
    newer = request.headers.get("x-postal-signature-256")
    signature = newer or request.headers.get("x-postal-signature", "")
    prove.rsa_signature(key, request.body, signature, sha1=newer is None)
    return prove.body_id(request.body)


def parse(received: Received) -> Report:
    """Read the event."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = kind_of(_TYPES, item.text("event"))
    payload = item.item("payload")
    # What came back holds both messages, whatever the event is called.
    came_back = isinstance(payload.raw("bounce"), dict)
    message = payload.item("original_message") if came_back else payload.item("message")
    if came_back:
        kind = EventType.BOUNCED
    if message.text("direction") == "incoming":
        raise Passed("incoming mail")
    said = payload.first("output", "details")
    status = payload.text("details") if said != payload.text("details") else ""
    hardness, reason = (
        blame(None, said=f"{said} {status}".strip())
        if kind is EventType.BOUNCED
        else (None, Reason.UNKNOWN)
    )
    message_id = message.text("message_id", most=996)
    yield ReportedEvent(
        id=item.id("uuid"),
        type=kind,
        at=item.moment("timestamp") or received.at,
        recipient=message.address("to"),
        hardness=hardness,
        reason=reason,
        token=message.token("headers"),
        message_id=f"<{message_id.strip('<>')}>" if message_id else "",
        provider_id=message.text("id", most=255),
        text=said,
    )


SAMPLE = {
    "event": "MessageDeliveryFailed",
    "timestamp": "{now}",
    "uuid": "{id}",
    "payload": {
        "status": "HardFail",
        "details": "Permanent SMTP delivery error",
        "output": "550 5.1.1 The mailbox does not exist",
        "message": {"id": 12345, "message_id": "sample@example.com", "to": "nobody@example.com"},
    },
}
