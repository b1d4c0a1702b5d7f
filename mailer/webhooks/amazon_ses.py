"""Amazon SES over SNS: notifications and event publishing, several recipients in one.

Names follow "Contents of event data that Amazon SES publishes" and "Amazon SNS notification
contents" in the SES developer guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import sns
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import (
    Item,
    Passed,
    header,
    kind_of,
    read_address,
    read_json,
    read_moment,
    report,
)
from mailer.webhooks.ses_bounce import ses_blame
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

SERVICE = sns.Service(
    certificate=r"https://sns\.{region}\.amazonaws\.com/SimpleNotificationService-[0-9a-f]{8,64}\.pem",
    confirmation=r"https://sns\.{region}\.amazonaws\.com/\?[\x21-\x7e]{1,2000}",
)
_TYPES: Mapping[str, EventType | None] = {
    "Send": None,
    "Delivery": EventType.DELIVERED,
    "DeliveryDelay": EventType.DEFERRED,
    "Bounce": EventType.BOUNCED,
    "Reject": EventType.BOUNCED,
    "Rendering Failure": EventType.BOUNCED,
    "Complaint": EventType.COMPLAINED,
    "Subscription": EventType.UNSUBSCRIBED,
    "Open": EventType.OPENED,
    "Click": EventType.CLICKED,
    "Received": None,
    "AmazonSnsSubscriptionSucceeded": None,
}
#: Where each kind keeps what is its own.
_PLACES: Mapping[str, str] = {
    "DeliveryDelay": "deliveryDelay",
    "Rendering Failure": "failure",
}
#: Complaints that are none (RFC 5965, `not-spam`), and those that SES makes up itself.
_NO_COMPLAINTS = frozenset({"not-spam"})
#: A recipient as each kind lists them: objects, addresses, or nothing.
_LISTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients")


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check the SNS envelope against the topics that are allowed."""
    return sns.verify(SERVICE, settings.amazon_ses.topics, request)


def parse(received: Received) -> Report:
    """Read what SES said: one event for each recipient it is about."""
    envelope = sns.open_envelope(SERVICE, received)
    if isinstance(envelope, Report):
        return envelope
    message = envelope.raw("Message")
    text = message if isinstance(message, str) else ""
    if text.startswith("Successfully validated SNS topic"):
        return Report(passed=("a test of the topic",))
    inner = read_json(text)
    # An event's own times are told by kinds, and only seconds before the notification's.
    at = read_moment(envelope.text("Timestamp")) or received.at
    named = envelope.text("MessageId", most=190) or received.id[:190]
    return report([inner], _events, Received(id=named, at=at, body=b""))


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    name = item.first("eventType", "notificationType")
    kind = kind_of(_TYPES, name)
    own = item.item(_PLACES.get(name, name.lower()))
    if name == "Complaint" and own.text("complaintFeedbackType") in _NO_COMPLAINTS:
        raise Passed("not-spam")
    if name == "Subscription":
        _check_left(own)
    mail = item.item("mail")
    headers = mail.raw("headers")
    for number, (address, one) in enumerate(_recipients(own, mail), start=1):
        said = one.text("diagnosticCode") or own.first(
            "smtpResponse", "reason", "errorMessage", "delayType"
        )
        hardness, reason = _blame(name, own, one, said)
        yield ReportedEvent(
            id=received.id if number == 1 else f"{received.id}/{number}",
            type=kind,
            at=received.at,
            recipient=address,
            hardness=hardness,
            reason=reason,
            token=mail.token("tags") or mail.token("headers") or mail.return_path("source"),
            message_id=header(headers, "message-id"),
            provider_id=mail.text("messageId", most=255),
            text=said,
        )


def _recipients(own: Item, mail: Item) -> Iterable[tuple[str, Item]]:
    """Who an event is about; where it does not say, whom the message went to."""
    for name in _LISTS:
        named = own.raw(name)
        if isinstance(named, list) and named:
            return [_recipient(one) for one in named]
    destination = mail.raw("destination")
    everyone = destination if isinstance(destination, list) else []
    return [_recipient(one) for one in everyone] or [("", Item(None))]


def _recipient(one: object) -> tuple[str, Item]:
    if isinstance(one, str):
        return read_address(one[:1_000]), Item(None)
    return Item(one).address("emailAddress"), Item(one)


def _check_left(own: Item) -> None:
    """A change of preferences is a farewell where it leaves everything."""
    after = own.item("newTopicPreferences")
    if after.raw("unsubscribeAll") is True:
        return
    topics = after.items("topicSubscriptionStatus")
    states = {topic.text("subscriptionStatus").lower() for topic in topics}
    if not states or states != {"optout"}:
        raise Passed("other preferences")


def _blame(name: str, own: Item, one: Item, said: str) -> tuple[Hardness | None, Reason]:
    if name == "Bounce":
        kind, subtype = own.text("bounceType"), own.text("bounceSubType")
        return ses_blame(kind, subtype, said=said, status=one.text("status"))
    if name == "Reject":  # "Bad content": a virus
        return blame(False, Reason.POLICY)
    if name == "Rendering Failure":
        return blame(False, Reason.RELAY)
    return None, Reason.UNKNOWN


SAMPLE = {
    "Type": "Notification",
    "MessageId": "{id}",
    "TopicArn": "{topic}",
    "Message": {
        "notificationType": "Bounce",
        "mail": {"messageId": "sample-000000", "destination": ["nobody@example.com"]},
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "timestamp": "{iso}",
            "bouncedRecipients": [
                {
                    "emailAddress": "nobody@example.com",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 The mailbox does not exist",
                }
            ],
        },
    },
    "Timestamp": "{iso}",
    "SignatureVersion": "2",
    "Signature": "{signature}",
    "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
}
