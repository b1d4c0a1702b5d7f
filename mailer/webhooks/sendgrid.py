"""SendGrid: signed with ECDSA over time stamp and body; batches, the same event many times.

Names follow "Event Webhook Reference" in Twilio SendGrid's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, kind_of, listed, read_json, report
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "processed": None,
    "deferred": EventType.DEFERRED,
    "delivered": EventType.DELIVERED,
    "bounce": EventType.BOUNCED,
    "blocked": EventType.BOUNCED,
    "dropped": EventType.BOUNCED,
    "spamreport": EventType.COMPLAINED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "group_unsubscribe": EventType.UNSUBSCRIBED,
    # To come back to a group there is no consent to a newsletter of ours.
    "group_resubscribe": None,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "account_status_change": None,
}
_CLASSES: Mapping[str, Reason] = {
    "invalid address": Reason.NO_SUCH_USER,
    "technical": Reason.SYSTEM,
    "technical failure": Reason.SYSTEM,
    "content": Reason.SPAM,
    "reputation": Reason.REPUTATION,
    "frequency/volume": Reason.RATE,
    "frequency or volume too high": Reason.RATE,
    "mailbox unavailable": Reason.DISABLED,
}
#: Why SendGrid dropped a message without trying, by how its reason begins.
_DROPPED: Mapping[str, tuple[bool, Reason]] = {
    "bounced address": (True, Reason.NO_SUCH_USER),
    "invalid smtpapi header": (False, Reason.PROTOCOL),
    "invalid": (True, Reason.BAD_ADDRESS),
    "spam content": (False, Reason.SPAM),
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the signature over time stamp and raw body."""
    stamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
    section = settings.sendgrid
    prove.ecdsa(section.key, stamp.encode("utf-8", "replace") + request.body, signature)
    prove.fresh(prove.stamp(stamp), now=request.now, max_age=section.max_age)
    return prove.body_id(request.body)


def parse(received: Received) -> Report:
    """Read a batch."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = kind_of(_TYPES, item.text("event"))
    said = item.first("reason", "response")
    hardness, reason = _blame(item, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    yield ReportedEvent(
        id=item.id("sg_event_id"),
        type=kind,
        at=item.moment("timestamp") or received.at,
        recipient=item.address("email"),
        hardness=hardness,
        reason=reason,
        token=item.token(),
        message_id=item.text("smtp-id", most=998),
        # Our relay's 250 says the part before the first dot.
        provider_id=item.text("sg_message_id", most=255).partition(".")[0],
        text=said,
    )


def _blame(item: Item, said: str) -> tuple[Hardness, Reason]:
    if item.text("event") == "dropped":
        lowered = said.lower()
        for start, (hard, reason) in _DROPPED.items():
            if lowered.startswith(start):
                return blame(hard, reason)
        return blame(False, Reason.RELAY)
    hard = item.text("event") == "bounce" and item.text("type") != "blocked"
    otherwise = _CLASSES.get(item.text("bounce_classification").lower(), Reason.UNKNOWN)
    return blame(hard, said=said, status=item.text("status"), otherwise=otherwise)


SAMPLE = {
    "event": "bounce",
    "email": "nobody@example.com",
    "timestamp": "{now}",
    "sg_event_id": "{id}",
    "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
    "reason": "550 5.1.1 The mailbox does not exist",
    "status": "5.1.1",
    "type": "bounce",
}
