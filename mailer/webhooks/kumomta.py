"""KumoMTA: its log records over a log hook, with HTTP Basic or a bearer token.

Names follow "Log Record" and "Configuring Bounce Classification" in KumoMTA's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mailer.webhooks.blame import blame
from mailer.webhooks.model import Received, Report, ReportedEvent
from mailer.webhooks.payload import (
    Item,
    Passed,
    header,
    kind_of,
    listed,
    read_address,
    read_json,
    report,
)
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "Reception": None,
    "Delivery": EventType.DELIVERED,
    "TransientFailure": EventType.DEFERRED,
    "Bounce": EventType.BOUNCED,
    "Expiration": EventType.BOUNCED,
    "AdminBounce": EventType.BOUNCED,
    "OOB": EventType.BOUNCED,
    "Feedback": EventType.COMPLAINED,
    "Rejection": None,
    "Delay": None,
    "AdminRebind": None,
    "DeferredInjectionRebind": None,
    "XferOut": None,
    "XferIn": None,
}
_CLASSES: Mapping[str, Reason] = {
    "InvalidRecipient": Reason.NO_SUCH_USER,
    "InactiveMailbox": Reason.DISABLED,
    "BadDomain": Reason.NO_SUCH_DOMAIN,
    "QuotaIssues": Reason.MAILBOX_FULL,
    "SpamBlock": Reason.REPUTATION,
    "SpamContent": Reason.SPAM,
    "VirusDetected": Reason.POLICY,
    "ContentRelated": Reason.SPAM,
    "ProhibitedAttachment": Reason.POLICY,
    "PolicyRelated": Reason.POLICY,
    "AuthenticationFailed": Reason.AUTHENTICATION,
    "RelayDenied": Reason.RELAY,
    "RelayingDenied": Reason.RELAY,
    "BadSender": Reason.RELAY,
    "SenderUnverified": Reason.RELAY,
    "InvalidSender": Reason.RELAY,
    "GreyListing": Reason.GREYLISTED,
    "RateLimited": Reason.RATE,
    "TooManyRecipients": Reason.RATE,
    "DNSFailure": Reason.NETWORK,
    "NoAnswerFromHost": Reason.NETWORK,
    "RoutingErrors": Reason.NETWORK,
    "BadConnection": Reason.NETWORK,
    "MessageExpired": Reason.NETWORK,
    "ProtocolErrors": Reason.PROTOCOL,
    "BadConfiguration": Reason.SYSTEM,
    "TransientFailure": Reason.SYSTEM,
}
#: Classes that say of an address itself that it is dead.
_DEAD = frozenset({"InvalidRecipient", "BadDomain"})
_MESSAGE_ID = re.compile(r"^message-id:[ \t]*(<[^<>\s]{1,996}>)", re.IGNORECASE | re.MULTILINE)


def parse(received: Received) -> Report:
    """Read one record or a list."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = kind_of(_TYPES, item.text("type"))
    if kind is EventType.COMPLAINED:
        yield _feedback(item, received)
        return
    response = item.item("response")
    said = response.text("content")
    status = ".".join(
        response.text("enhanced_code", part) for part in ("class", "subject", "detail")
    )
    hardness, reason = (
        _blame(item, said, status) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    )
    named = item.raw("recipient")
    recipients = named if isinstance(named, list) else [named]
    whole = item.digest()
    for number, one in enumerate(recipients[:500] or [None], start=1):
        yield ReportedEvent(
            id=whole if number == 1 else f"{whole}/{number}",
            type=kind,
            at=item.moment("timestamp") or item.moment("event_time") or received.at,
            recipient=read_address(one[:1_000]) if isinstance(one, str) else "",
            hardness=hardness,
            reason=reason,
            token=item.token("headers") or item.token("meta") or item.return_path("sender"),
            message_id=header(item.raw("headers"), "message-id"),
            provider_id=item.text("id", most=255),
            text=said,
        )


def _blame(item: Item, said: str, status: str) -> tuple[Hardness, Reason]:
    if item.text("type") == "AdminBounce":
        return blame(False, Reason.RELAY)
    if item.text("type") == "Expiration":
        return blame(False, said=said, otherwise=Reason.NETWORK)
    named = item.text("bounce_classification")
    code = item.number("response", "code")
    permanent = code // 100 == 5 or status.startswith("5.")
    hard = True if named in _DEAD and permanent else None
    otherwise = _CLASSES.get(named, Reason.UNKNOWN)
    return blame(hard, said=said, code=code, status=status, otherwise=otherwise)


def _feedback(item: Item, received: Received) -> ReportedEvent:
    """A complaint by way of ARF (RFC 5965)."""
    found = item.item("feedback_report")
    kind = found.text("feedback_type").lower()
    if kind == "not-spam":
        raise Passed(kind)
    left = kind in ("opt-out", "opt-out-list")
    original = found.raw("original_message")
    message_id = _MESSAGE_ID.search(original[:100_000]) if isinstance(original, str) else None
    named = found.raw("original_rcpto_to") or found.raw("original_rcpt_to")
    first = named[0] if isinstance(named, list) and named else ""
    return ReportedEvent(
        id=item.digest(),
        type=EventType.UNSUBSCRIBED if left else EventType.COMPLAINED,
        at=item.moment("timestamp") or received.at,
        recipient=found.address("supplemental_trace", "recipient")
        or (read_address(first[:1_000]) if isinstance(first, str) else ""),
        token=found.return_path("original_mail_from") or item.token("headers"),
        message_id=message_id[1] if message_id else "",
        text=kind,
    )


SAMPLE = {
    "type": "Bounce",
    "id": "{id}",
    "sender": "news@example.com",
    "recipient": "nobody@example.com",
    "timestamp": "{now}",
    "response": {
        "code": 550,
        "enhanced_code": {"class": 5, "subject": 1, "detail": 1},
        "content": "The mailbox does not exist",
    },
    "bounce_classification": "InvalidRecipient",
}
