"""Mailgun: an HMAC over time stamp and token, which says nothing about the rest of the body.

So a token counts once: it is the request's id. Both the JSON of today and the forms of old
webhooks are read. Names follow "Webhooks" and "Event Structure" in Mailgun's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.form import first, last, read_form
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import (
    Item,
    header,
    kind_of,
    read_address,
    read_json,
    read_moment,
    report,
)
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "accepted": None,
    "stored": None,
    "delivered": EventType.DELIVERED,
    "failed": EventType.BOUNCED,
    "rejected": EventType.BOUNCED,
    "opened": EventType.OPENED,
    "clicked": EventType.CLICKED,
    "unsubscribed": EventType.UNSUBSCRIBED,
    "complained": EventType.COMPLAINED,
    # The forms of old webhooks.
    "bounced": EventType.BOUNCED,
    "dropped": EventType.BOUNCED,
}
#: `reason` of a failure, where it says more than that there was one.
_REASONS: Mapping[str, tuple[bool, Reason]] = {
    "suppress-bounce": (True, Reason.NO_SUCH_USER),
    "suppress-complaint": (False, Reason.RELAY),
    "suppress-unsubscribe": (False, Reason.RELAY),
    "espblock": (False, Reason.REPUTATION),
    "old": (False, Reason.NETWORK),
    "greylisted": (False, Reason.GREYLISTED),
}
#: Mailgun's own codes for what it did not try.
_CODES: Mapping[int, tuple[bool, Reason]] = {
    602: (False, Reason.NETWORK),
    605: (True, Reason.NO_SUCH_USER),
    606: (False, Reason.RELAY),
    607: (False, Reason.RELAY),
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the signature; the token is the request's id, so that it counts once."""
    proof = _proof(request.body)
    stamp, token = proof.text("timestamp"), proof.text("token")
    section = settings.mailgun
    prove.hmac_hex(section.key, (stamp + token).encode(), proof.text("signature"))
    prove.fresh(prove.stamp(stamp), now=request.now, max_age=section.max_age)
    return prove.request_id(token)


def _proof(body: bytes) -> Item:
    if body.lstrip().startswith(b"{"):
        return Item(read_json(body)).item("signature")
    fields = read_form(body)
    # A sender's own variables of these names come before Mailgun's.
    return Item({name: last(fields, name) for name in ("timestamp", "token", "signature")})


def parse(received: Received) -> Report:
    """Read the one event of a request."""
    if received.body.lstrip().startswith(b"{"):
        body = Item(read_json(received.body))
        return report([body.raw("event-data")], _events, received)
    return report([dict(_plain(read_form(received.body)))], _form_events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = kind_of(_TYPES, item.text("event"))
    if item.text("event") == "failed" and item.text("severity") == "temporary":
        kind = EventType.DEFERRED
    status = item.item("delivery-status")
    said = status.first("message", "description") or item.text("reject", "reason")
    hardness, reason = _blame(item, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    message_id = header(item.raw("message", "headers"), "message-id")
    yield ReportedEvent(
        id=item.text("id", most=200) or received.id,
        type=kind,
        at=item.moment("timestamp") or received.at,
        recipient=item.address("recipient") or item.address("message", "headers", "to"),
        hardness=hardness,
        reason=reason,
        token=item.token("user-variables")
        or item.token("message", "headers")
        or item.return_path("envelope", "sender"),
        message_id=f"<{message_id.strip('<>')}>" if message_id else "",
        text=said,
    )


def _blame(item: Item, said: str) -> tuple[Hardness, Reason]:
    code = item.number("delivery-status", "code")
    if item.text("event") == "rejected":
        return blame(False, Reason.RELAY)
    for known in (_REASONS.get(item.text("reason")), _CODES.get(code)):
        if known:
            return blame(*known)
    enhanced = item.text("delivery-status", "enhanced-code")
    return blame(True, said=said, code=code, status=enhanced)


# --- the forms of old webhooks ------------------------------------------------------------------


def _plain(fields: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """One value a name; a sender's variables of the same name stand after Mailgun's own.

    For token and time stamp it is the other way round.
    """
    for name, _ in fields:
        late = name in ("token", "timestamp")
        yield name, last(fields, name) if late else first(fields, name)


def _form_events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = kind_of(_TYPES, item.text("event"))
    said = item.first("error", "description", "notification")
    hardness, reason = (
        _form_blame(item, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    )
    headers = item.text("message-headers", most=100_000)
    named = item.text("Message-Id", most=998) or item.text("message-id", most=998)
    yield ReportedEvent(
        id=item.text("token", most=200) or received.id,
        type=kind,
        at=read_moment(item.text("timestamp")) or received.at,
        recipient=read_address(item.text("recipient")),
        hardness=hardness,
        reason=reason,
        token=item.token() or (Item({"h": headers}).token("h") if headers else ""),
        message_id=f"<{named.strip('<>')}>" if named else "",
        text=said,
    )


def _form_blame(item: Item, said: str) -> tuple[Hardness, Reason]:
    code = item.number("code")
    known = _CODES.get(code) or _REASONS.get(item.text("reason"))
    if known:
        return blame(*known)
    return blame(True, said=said, code=code)


SAMPLE = {
    "signature": {"timestamp": "{now}", "token": "{id}", "signature": "{signature}"},
    "event-data": {
        "id": "{id}",
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "timestamp": "{now}",
        "recipient": "nobody@example.com",
        "message": {"headers": {"message-id": "sample@example.com"}},
        "delivery-status": {"code": 550, "message": "5.1.1 The mailbox does not exist"},
    },
}
