"""Scaleway Transactional Email over Topics and Events, which speaks like Amazon SNS.

Names follow "Understanding Webhook event payloads" and "Verifying webhook signatures" in
Scaleway's documentation: a certificate counts only if the region's trust chain issued it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import sns
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, header, kind_of, read_json, report
from subscribers.event import EventType
from subscribers.reason import Reason

SERVICE = sns.Service(
    certificate=r"https://messaging\.s3\.fr-par\.scw\.cloud/{region}/sns/[A-Za-z0-9._-]{1,200}\.pem",
    confirmation=r"https?://sns\.mnq\.{region}\.scaleway\.com/[\x21-\x7e]{0,2000}",
    chain="https://messaging.s3.fr-par.scw.cloud/{region}/sns/sns-trust-chain.pem",
)
_TYPES: Mapping[str, EventType | None] = {
    "unknown_type": None,
    "email_queued": None,
    "email_delivered": EventType.DELIVERED,
    "email_deferred": EventType.DEFERRED,
    "email_dropped": EventType.BOUNCED,
    "email_mailbox_not_found": EventType.BOUNCED,
    # Taken for spam by the receiver's server; nobody complained.
    "email_spam": EventType.BOUNCED,
    "email_blocklisted": EventType.BOUNCED,
    "blocklist_created": None,
}
_BOUNCES: Mapping[str, tuple[bool, Reason]] = {
    "email_dropped": (True, Reason.UNKNOWN),
    "email_mailbox_not_found": (True, Reason.NO_SUCH_USER),
    "email_spam": (False, Reason.SPAM),
    "email_blocklisted": (False, Reason.RELAY),
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the envelope against the topics that are allowed."""
    return sns.verify(SERVICE, settings.scaleway_tem.topics, request)


def parse(received: Received) -> Report:
    """Read the event."""
    envelope = sns.open_envelope(SERVICE, received)
    if isinstance(envelope, Report):
        return envelope
    message = envelope.raw("Message")
    return report([read_json(message if isinstance(message, str) else "")], _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    name = item.text("type")
    kind = kind_of(_TYPES, name)
    said = item.first("email_response_message", "email_error")
    hardness, reason = (
        blame(*_BOUNCES[name], said=said, code=item.number("email_response_code"))
        if name in _BOUNCES
        else (None, Reason.UNKNOWN)
    )
    headers = item.raw("email_headers")
    yield ReportedEvent(
        id=item.id("id"),
        type=kind,
        at=item.moment("created_at") or received.at,
        recipient=item.address("email_to"),
        hardness=hardness,
        reason=reason,
        token=item.token("email_headers"),
        message_id=header(headers, "message-id"),
        provider_id=item.text("email_id", most=255),
        text=said,
    )


SAMPLE = {
    "Type": "Notification",
    "MessageId": "{id}",
    "TopicArn": "{topic}",
    "Message": {
        "id": "{id}",
        "type": "email_mailbox_not_found",
        "created_at": "{iso}",
        "email_id": "6f1a1f0c-5d59-4a60-a1bb-2cde1b4c6a55",
        "email_to": "nobody@example.com",
        "email_response_code": 550,
        "email_response_message": "5.1.1 The mailbox does not exist",
    },
    "Timestamp": "{iso}",
    "SignatureVersion": "1",
    "Signature": "{signature}",
    "SigningCertURL": "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sample.pem",
}
