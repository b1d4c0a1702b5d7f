"""Mailjet: proves itself by HTTP Basic; one event or a list, errors from a fixed table.

Names follow "Event API" and its error table in Mailjet's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhooks.blame import blame
from mailer.webhooks.model import Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, kind_of, listed, read_json, report
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "sent": EventType.DELIVERED,  # "accepted by the recipient's server"
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "bounce": EventType.BOUNCED,
    "blocked": EventType.BOUNCED,
    "spam": EventType.COMPLAINED,
    "unsub": EventType.UNSUBSCRIBED,
}
_ERRORS: Mapping[str, Reason] = {
    "user unknown": Reason.NO_SUCH_USER,
    "mailbox inactive": Reason.DISABLED,
    "quota exceeded": Reason.MAILBOX_FULL,
    "blacklisted": Reason.RELAY,
    "spam reporter": Reason.RELAY,
    "invalid domain": Reason.NO_SUCH_DOMAIN,
    "no mail host": Reason.NO_SUCH_DOMAIN,
    "typofix": Reason.NO_SUCH_DOMAIN,
    "relay/access denied": Reason.POLICY,
    "greylisted": Reason.GREYLISTED,
    "bad or empty template": Reason.RELAY,
    "error in template language": Reason.RELAY,
    "sender blocked": Reason.REPUTATION,
    "content blocked": Reason.SPAM,
    "policy issue": Reason.POLICY,
    "system issue": Reason.SYSTEM,
    "protocol issue": Reason.PROTOCOL,
    "connection issue": Reason.NETWORK,
    "preblocked": Reason.RELAY,
    "duplicate in campaign": Reason.RELAY,
    "message throttled": Reason.RATE,
}
#: What an error is about, where the error itself is not in the table.
_ABOUT: Mapping[str, Reason] = {
    "content": Reason.SPAM,
    "spam": Reason.SPAM,
    "system": Reason.SYSTEM,
    "mailjet": Reason.RELAY,
}


def parse(received: Received) -> Report:
    """Read one event or a list."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = kind_of(_TYPES, item.text("event"))
    if item.text("error").lower() == "greylisted" and item.raw("hard_bounce") is not True:
        kind = EventType.DEFERRED  # "delivery will be re-attempted"
    said = item.first("comment", "smtp_reply", "error")
    hardness, reason = _blame(item, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    yield ReportedEvent(
        id=item.digest(),
        type=kind,
        at=item.moment("time") or received.at,
        recipient=item.address("email"),
        hardness=hardness,
        reason=reason,
        token=item.token("Payload") or item.token("CustomID"),
        provider_id=item.text("MessageID", most=255),
        # What its relay says in a 250.
        other_id=item.text("Message_GUID", most=255),
        text=said,
    )


def _blame(item: Item, said: str) -> tuple[Hardness, Reason]:
    error = item.text("error").lower()
    known = _ERRORS.get(error) or _ABOUT.get(item.text("error_related_to").lower())
    return blame(item.raw("hard_bounce") is True, known or Reason.UNKNOWN, said=said)


SAMPLE = {
    "event": "bounce",
    "time": "{now}",
    "MessageID": 13792286917004336,
    "Message_GUID": "{id}",
    "email": "nobody@example.com",
    "hard_bounce": True,
    "error_related_to": "recipient",
    "error": "user unknown",
    "comment": "550 5.1.1 The mailbox does not exist",
}
