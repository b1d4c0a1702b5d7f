"""Haraka: a plugin of a few lines, printed in docs/webhooks.md, posts JSON with HTTP Basic.

It tells what Haraka's hooks `delivered`, `deferred` and `bounce` are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhooks.blame import blame
from mailer.webhooks.model import Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, kind_of, listed, read_json, report
from subscribers.event import EventType
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "bounce": EventType.BOUNCED,
}


def parse(received: Received) -> Report:
    """Read one event or a list."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = kind_of(_TYPES, item.text("event"))
    said = item.text("response")
    status = item.text("dsn_status", most=20)
    hardness, reason = (
        blame(None, said=said, code=item.number("code"), status=status)
        if kind is EventType.BOUNCED
        else (None, Reason.UNKNOWN)
    )
    named = item.raw("rcpt_to")
    recipients = [Item({"a": one}) for one in named] if isinstance(named, list) else [item]
    field = "a" if isinstance(named, list) else "rcpt_to"
    whole = item.digest()
    for number, one in enumerate(recipients[:500] or [item], start=1):
        yield ReportedEvent(
            id=whole if number == 1 else f"{whole}/{number}",
            type=kind,
            at=item.moment("at") or received.at,
            recipient=one.address(field),
            hardness=hardness,
            reason=reason,
            token=item.return_path("mail_from"),
            provider_id=item.text("uuid", most=255),
            text=said,
        )


SAMPLE = {
    "event": "bounce",
    "uuid": "{id}",
    "at": "{iso}",
    "mail_from": "news@example.com",
    "rcpt_to": ["nobody@example.com"],
    "code": 550,
    "dsn_status": "5.1.1",
    "response": "The mailbox does not exist",
}
