"""Azure Communication Services over Event Grid: a secret of ours comes with each request.

Event Grid signs nothing; it hands on a header that we name for it ("delivery properties"), or a
query parameter. Names follow "Azure Communication Services - Email events".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Passed, listed, read_json, report, unknown
from subscribers.event import EventType
from subscribers.reason import Reason

_DELIVERY = "Microsoft.Communication.EmailDeliveryReportReceived"
_ENGAGEMENT = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_PASSED = frozenset({_VALIDATION, "Microsoft.EventGrid.SubscriptionDeletedEvent"})
_STATES: Mapping[str, EventType | None] = {
    "delivered": EventType.DELIVERED,
    "bounced": EventType.BOUNCED,
    "suppressed": EventType.BOUNCED,
    "failed": EventType.BOUNCED,
    "quarantined": EventType.BOUNCED,
    "filteredspam": EventType.BOUNCED,
    # To the members of a list.
    "expanded": None,
    "outfordelivery": None,
}
_BOUNCES: Mapping[str, tuple[bool, Reason]] = {
    "bounced": (True, Reason.UNKNOWN),
    # "Had hard bounced previously"
    "suppressed": (True, Reason.NO_SUCH_USER),
    "failed": (False, Reason.UNKNOWN),
    "quarantined": (False, Reason.SPAM),
    "filteredspam": (False, Reason.SPAM),
}
_ENGAGEMENTS: Mapping[str, EventType] = {
    "view": EventType.OPENED,
    "click": EventType.CLICKED,
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check our secret: `Authorization: Bearer`, or `?key=` in the URL."""
    section = settings.azure
    given = request.headers.get("authorization", "")
    if not given and "key" in request.query:
        given = f"Bearer {request.query['key']}"
    if not given.lower().startswith("bearer "):
        given = ""
    prove.password(given, username="", secret=section.key)
    return prove.body_id(request.body)


def handshake(body: bytes) -> Mapping[str, str] | None:
    """What Event Grid wants to be answered before it sends anything; None: nothing special."""
    events = listed(read_json(body))
    for one in events[:1]:
        item = Item(one)
        code = item.text("data", "validationCode", most=200)
        if item.text("eventType") == _VALIDATION and code:
            return {"validationResponse": code}
    return None


def parse(received: Received) -> Report:
    """Read a batch, in Event Grid's schema or as CloudEvents."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    name = item.first("eventType", "type")
    if name in _PASSED:
        raise Passed(name)
    data = item.item("data")
    state = data.text("status").lower()
    kind: EventType | None
    if name == _DELIVERY and state in _STATES:
        kind = _STATES[state]
    elif name == _ENGAGEMENT:
        kind = _ENGAGEMENTS.get(data.first("engagementType", "engagement").lower())
    else:
        raise unknown(f"{name} {state}".strip())
    if kind is None:
        raise Passed(state or "an engagement")
    details = data.item("deliveryStatusDetails")
    said = details.text("statusMessage") or data.text("deliveryStatusDetails")
    hardness, reason = (
        blame(*_BOUNCES[state], said=said) if state in _BOUNCES else (None, Reason.UNKNOWN)
    )
    yield ReportedEvent(
        id=item.id("id"),
        type=kind,
        at=data.moment("deliveryAttemptTimeStamp")
        or data.moment("userActionTimeStamp")
        or item.moment("eventTime")
        or item.moment("time")
        or received.at,
        recipient=data.address("recipient"),
        hardness=hardness,
        reason=reason,
        message_id=data.text("internetMessageId", most=998),
        provider_id=data.text("messageId", most=255),
        text=said,
    )


SAMPLE = [
    {
        "id": "{id}",
        "eventType": _DELIVERY,
        "subject": "sender/news@example.com/message/sample",
        "eventTime": "{iso}",
        "data": {
            "sender": "news@example.com",
            "recipient": "nobody@example.com",
            "messageId": "6f1a1f0c-5d59-4a60-a1bb-2cde1b4c6a55",
            "status": "Bounced",
            "deliveryStatusDetails": {"statusMessage": "550 5.1.1 The mailbox does not exist"},
            "deliveryAttemptTimeStamp": "{iso}",
        },
        "dataVersion": "1.0",
        "metadataVersion": "1",
    }
]
