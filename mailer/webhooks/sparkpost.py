"""SparkPost: proves itself by HTTP Basic; events in batches, bounces with a class.

Names follow "Event Webhooks" and "Bounce Classification Codes" in SparkPost's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhooks.blame import blame
from mailer.webhooks.model import Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Passed, kind_of, listed, read_json, report
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "injection": None,
    "delivery": EventType.DELIVERED,
    "delay": EventType.DEFERRED,
    "bounce": EventType.BOUNCED,
    "out_of_band": EventType.BOUNCED,
    "policy_rejection": EventType.BOUNCED,
    "generation_failure": EventType.BOUNCED,
    "generation_rejection": EventType.BOUNCED,
    "spam_complaint": EventType.COMPLAINED,
    "list_unsubscribe": EventType.UNSUBSCRIBED,
    "link_unsubscribe": EventType.UNSUBSCRIBED,
    "open": EventType.OPENED,
    "initial_open": EventType.OPENED,
    "amp_open": EventType.OPENED,
    "amp_initial_open": EventType.OPENED,
    "click": EventType.CLICKED,
    "amp_click": EventType.CLICKED,
    "sms_status": None,
    "relay_injection": None,
    "relay_rejection": None,
    "relay_delivery": None,
    "relay_tempfail": None,
    "relay_permfail": None,
    "ab_test_completed": None,
    "ab_test_cancelled": None,
    "success": None,
    "error": None,
}
#: Refused before they were tried, for a reason of ours.
_OUR_OWN = frozenset({"policy_rejection", "generation_failure", "generation_rejection"})
_CLASSES: Mapping[int, tuple[bool, Reason]] = {
    1: (False, Reason.UNKNOWN),
    10: (True, Reason.NO_SUCH_USER),
    20: (False, Reason.UNKNOWN),
    21: (False, Reason.NETWORK),
    22: (False, Reason.MAILBOX_FULL),
    23: (False, Reason.TOO_BIG),
    24: (False, Reason.NETWORK),
    25: (False, Reason.RELAY),
    26: (False, Reason.RELAY),
    30: (True, Reason.NO_SUCH_USER),
    40: (False, Reason.UNKNOWN),
    50: (False, Reason.POLICY),
    51: (False, Reason.REPUTATION),
    52: (False, Reason.SPAM),
    53: (False, Reason.POLICY),
    54: (False, Reason.RELAY),
    70: (False, Reason.UNKNOWN),
}
#: Classes that are no bounces.
_OTHERS: Mapping[int, EventType | None] = {
    60: EventType.AUTO_REPLY,
    80: None,
    90: EventType.UNSUBSCRIBED,
    100: EventType.AUTO_REPLY,
}


def parse(received: Received) -> Report:
    """Read a batch."""
    return report(listed(read_json(received.body)), _events, received)


def _events(envelope: Item, received: Received) -> Iterator[ReportedEvent]:
    item = _inner(envelope)
    kind = kind_of(_TYPES, item.text("type"))
    number = item.number("bounce_class")
    if kind is EventType.BOUNCED and number in _OTHERS:
        other = _OTHERS[number]
        if other is None:
            raise Passed("subscribe request")
        kind = other
    said = item.first("raw_reason", "reason")
    hardness, reason = _blame(item, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    yield ReportedEvent(
        id=item.id("event_id"),
        type=kind,
        at=item.moment("timestamp") or received.at,
        recipient=item.address("raw_rcpt_to") or item.address("rcpt_to"),
        hardness=hardness,
        reason=reason,
        token=item.token("rcpt_meta") or item.return_path("msg_from"),
        provider_id=item.text("transmission_id", most=255) or item.text("message_id", most=255),
        text=said,
    )


def _inner(envelope: Item) -> Item:
    """The event inside `msys`, whose one name says what sort of event it is."""
    msys = envelope.raw("msys")
    if msys == {}:
        raise Passed("ping")
    inner = list(msys.values()) if isinstance(msys, dict) else []
    return Item(inner[0] if len(inner) == 1 else None)


def _blame(item: Item, said: str) -> tuple[Hardness, Reason]:
    known = _CLASSES.get(item.number("bounce_class"))
    if known is None:
        known = (False, Reason.RELAY if item.text("type") in _OUR_OWN else Reason.UNKNOWN)
    return blame(*known, said=said, code=item.number("error_code"))


SAMPLE = {
    "msys": {
        "message_event": {
            "type": "bounce",
            "bounce_class": "10",
            "error_code": "550",
            "event_id": "{id}",
            "raw_rcpt_to": "nobody@example.com",
            "raw_reason": "550 5.1.1 The mailbox does not exist",
            "timestamp": "{now}",
            "transmission_id": "65832150921904138",
        }
    }
}
