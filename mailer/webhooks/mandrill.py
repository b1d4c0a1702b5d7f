"""Mandrill: HMAC-SHA1 over the exact URL and the form's fields; events as JSON in one field.

Names follow "About webhooks" and "Authenticating webhook requests" in Mailchimp's guides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.form import first, read_form
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent, WebhookUnreadable
from mailer.webhooks.payload import Item, Passed, kind_of, listed, read_json, report
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "send": None,
    "delivered": EventType.DELIVERED,
    "deferral": EventType.DEFERRED,
    "hard_bounce": EventType.BOUNCED,
    "soft_bounce": EventType.BOUNCED,
    "reject": EventType.BOUNCED,
    "spam": EventType.COMPLAINED,
    "unsub": EventType.UNSUBSCRIBED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "inbound": None,
}
#: `bounce_description`, where it names a cause.
_DESCRIPTIONS: Mapping[str, Reason] = {
    "bad_mailbox": Reason.NO_SUCH_USER,
    "invalid_domain": Reason.NO_SUCH_DOMAIN,
    "mailbox_full": Reason.MAILBOX_FULL,
    "message_too_large": Reason.TOO_BIG,
    "relaying_denied": Reason.RELAY,
    "relay_denied": Reason.RELAY,
    "spam": Reason.SPAM,
    "blocked": Reason.REPUTATION,
    "policy_related": Reason.POLICY,
    "inactive_mailbox": Reason.DISABLED,
}
#: Why Mandrill did not try.
_REJECTED: Mapping[str, tuple[bool, Reason]] = {
    "hard-bounce": (True, Reason.NO_SUCH_USER),
    "invalid": (True, Reason.BAD_ADDRESS),
    "soft-bounce": (False, Reason.RELAY),
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the signature over the URL that Mandrill was given, and all names and values."""
    section = settings.mandrill
    signed = (section.url or request.url).encode()
    for name, value in sorted(read_form(request.body)):
        signed += name.encode() + value.encode()
    given = request.headers.get("x-mandrill-signature", "")
    prove.hmac_sha1_base64(section.key, signed, given)
    return prove.body_id(request.body)


def parse(received: Received) -> Report:
    """Read a batch."""
    events = first(read_form(received.body), "mandrill_events")
    if not events:
        raise WebhookUnreadable("the field mandrill_events is missing")
    return report(listed(read_json(events)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    name = item.text("event")
    if not name and item.text("type"):
        raise Passed(f"{item.text('type')} {item.text('action')}"[:60])
    kind = kind_of(_TYPES, name)
    message = item.item("msg")
    said = message.text("diag")
    hardness, reason = (
        _blame(name, message, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    )
    yield ReportedEvent(
        # `_id` is the message's.
        id=item.digest(),
        type=kind,
        at=item.moment("ts") or received.at,
        recipient=message.address("email"),
        hardness=hardness,
        reason=reason,
        token=message.token("metadata"),
        provider_id=message.text("_id", most=255) or item.text("_id", most=255),
        text=said,
    )


def _blame(name: str, message: Item, said: str) -> tuple[Hardness, Reason]:
    if name == "reject":
        why = message.text("reject", "reason") or message.text("reject")
        return blame(*_REJECTED.get(why, (False, Reason.RELAY)))
    reason = _DESCRIPTIONS.get(message.text("bounce_description"), Reason.UNKNOWN)
    return blame(name == "hard_bounce", reason, said=said)


SAMPLE = [
    {
        "event": "hard_bounce",
        "_id": "{id}",
        "ts": "{now}",
        "msg": {
            "_id": "{id}",
            "email": "nobody@example.com",
            "bounce_description": "bad_mailbox",
            "diag": "smtp;550 5.1.1 The mailbox does not exist",
        },
    }
]
