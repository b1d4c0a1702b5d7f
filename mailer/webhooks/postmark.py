"""Postmark: proves itself by HTTP Basic; its bounces have one of two dozen types.

Names follow "Webhooks" and "Bounce types" in Postmark's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhooks.blame import blame
from mailer.webhooks.model import Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Passed, kind_of, listed, read_json, report, unknown
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "Delivery": EventType.DELIVERED,
    "Bounce": EventType.BOUNCED,
    "SpamComplaint": EventType.COMPLAINED,
    "SubscriptionChange": EventType.UNSUBSCRIBED,
    "Open": EventType.OPENED,
    "Click": EventType.CLICKED,
    "Inbound": None,
    "InboundError": None,
}
#: Bounces that are none.
_OTHERS: Mapping[str, EventType | None] = {
    "Transient": EventType.DEFERRED,
    "DnsError": EventType.DEFERRED,
    "Unsubscribe": EventType.UNSUBSCRIBED,
    "Subscribe": None,
    "AutoResponder": EventType.AUTO_REPLY,
    "AddressChange": EventType.AUTO_REPLY,
    "OpenRelayTest": None,
    "ChallengeVerification": EventType.AUTO_REPLY,
    "SpamComplaint": EventType.COMPLAINED,
    "InboundError": None,
}
#: For good or not, and why; where the reason is unknown the receiver's words decide.
_BOUNCES: Mapping[str, tuple[bool, Reason]] = {
    "HardBounce": (True, Reason.UNKNOWN),
    "SoftBounce": (False, Reason.UNKNOWN),
    "Unknown": (False, Reason.UNKNOWN),
    # Blocked by the receiver or its user, after it was taken: nobody pressed a button.
    "SpamNotification": (False, Reason.SPAM),
    "VirusNotification": (False, Reason.POLICY),
    "BadEmailAddress": (True, Reason.BAD_ADDRESS),
    "ManuallyDeactivated": (False, Reason.RELAY),
    "Unconfirmed": (False, Reason.RELAY),
    "Blocked": (False, Reason.REPUTATION),
    "SMTPApiError": (False, Reason.RELAY),
    "DMARCPolicy": (False, Reason.AUTHENTICATION),
    "TemplateRenderingFailed": (False, Reason.RELAY),
}
_SUPPRESSED: Mapping[str, EventType] = {
    "HardBounce": EventType.BOUNCED,
    "SpamComplaint": EventType.COMPLAINED,
    "ManualSuppression": EventType.UNSUBSCRIBED,
}


def parse(received: Received) -> Report:
    """Read the one event of a request."""
    return report(listed(read_json(received.body)), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    kind = _kind(item)
    said = item.first("Details", "Description", "DeliveryMessage")
    hardness, reason = _blame(item, said) if kind is EventType.BOUNCED else (None, Reason.UNKNOWN)
    at = next(
        (
            moment
            for name in ("BouncedAt", "DeliveredAt", "ChangedAt", "ReceivedAt")
            if (moment := item.moment(name))
        ),
        received.at,
    )
    yield ReportedEvent(
        id=item.id("ID"),
        type=kind,
        at=at,
        recipient=item.address("Recipient") or item.address("Email"),
        hardness=hardness,
        reason=reason,
        token=item.token("Metadata"),
        provider_id=item.text("MessageID", most=255),
        text=said,
    )


def _kind(item: Item) -> EventType:
    named = item.text("RecordType")
    if not named and item.text("Type"):
        named = "Bounce"  # its first webhooks had no RecordType
    kind = kind_of(_TYPES, named)
    if named == "Bounce":
        bounce = item.text("Type")
        return EventType.BOUNCED if bounce in _BOUNCES else kind_of(_OTHERS, bounce)
    if named == "SubscriptionChange":
        if item.raw("SuppressSending") is not True:
            raise Passed("resubscribed")
        why = item.text("SuppressionReason")
        if why not in _SUPPRESSED:
            raise unknown(why)
        return _SUPPRESSED[why]
    return kind


def _blame(item: Item, said: str) -> tuple[Hardness, Reason]:
    hard, reason = _BOUNCES.get(item.text("Type"), (True, Reason.UNKNOWN))
    return blame(hard, reason, said=said)


SAMPLE = {
    "RecordType": "Bounce",
    "Type": "HardBounce",
    "ID": "{id}",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "Email": "nobody@example.com",
    "BouncedAt": "{iso}",
    "Details": "smtp;550 5.1.1 The mailbox does not exist",
}
