"""Brevo: proves itself by HTTP Basic or a bearer token; one event or a batch of up to 500.

Names follow "Transactional webhooks" in Brevo's documentation, and its `snake_case` and
`camelCase` spellings alike. What it calls `id` is the webhook's, not the event's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mailer.webhooks.blame import blame
from mailer.webhooks.model import Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, kind_of, listed, read_json, report
from subscribers.event import EventType
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "request": None,
    "sent": None,
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "soft_bounce": EventType.BOUNCED,
    "hard_bounce": EventType.BOUNCED,
    "invalid_email": EventType.BOUNCED,
    "invalid": EventType.BOUNCED,
    "blocked": EventType.BOUNCED,
    "error": EventType.BOUNCED,
    "spam": EventType.COMPLAINED,
    "complaint": EventType.COMPLAINED,
    "unsubscribed": EventType.UNSUBSCRIBED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "opened": EventType.OPENED,
    "unique_opened": EventType.OPENED,
    "first_opening": EventType.OPENED,
    "proxy_open": EventType.OPENED,
    "unique_proxy_open": EventType.OPENED,
    "click": EventType.CLICKED,
    "clicked": EventType.CLICKED,
    "list_addition": None,
    "contact_updated": None,
    "contact_deleted": None,
    "inbound_email_processed": None,
    "reply": None,
}
_BOUNCES: Mapping[str, tuple[bool, Reason]] = {
    "soft_bounce": (False, Reason.UNKNOWN),
    "hard_bounce": (True, Reason.UNKNOWN),
    "invalid_email": (True, Reason.BAD_ADDRESS),
    "invalid": (True, Reason.BAD_ADDRESS),
    # On the account's own blocklist: bounced, complained or unsubscribed earlier, or by hand.
    "blocked": (False, Reason.RELAY),
    "error": (False, Reason.RELAY),
}


def parse(received: Received) -> Report:
    """Read one event or a batch."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    name = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", item.text("event")).lower()
    kind = kind_of(_TYPES, name)
    said = item.text("reason")
    hardness, reason = (
        blame(*_BOUNCES[name], said=said) if name in _BOUNCES else (None, Reason.UNKNOWN)
    )
    message_id = item.text("message-id", most=998)
    yield ReportedEvent(
        id=item.digest(),
        type=kind,
        at=item.moment("ts_epoch") or item.moment("ts_event") or received.at,
        recipient=item.address("email"),
        hardness=hardness,
        reason=reason,
        token=item.token("X-Mailin-custom") or item.token("headers"),
        message_id=message_id,
        provider_id=message_id.strip("<>")[:255],
        text=said,
    )


SAMPLE = {
    "event": "hard_bounce",
    "email": "nobody@example.com",
    "id": 1,
    "ts_event": "{now}",
    "message-id": "<202801011200.{id}@smtp-relay.mailin.fr>",
    "reason": "550 5.1.1 The mailbox does not exist",
}
