"""A message that came in, as a report in the words of webhooks: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailer.feedback.understand import understand
from mailer.feedback.understood import Kind, RecipientReport, Understood
from mailer.webhooks.model import Received, Report, ReportedEvent, WebhookUnreadable
from subscribers.event import EventType, Hardness

#: What raw messages are kept under, beside the providers of webhooks.
MAIL = "mail"

_TYPES: Mapping[Kind, EventType] = {
    Kind.BOUNCE: EventType.BOUNCED,
    Kind.DELAY: EventType.DEFERRED,
    Kind.DELIVERED: EventType.DELIVERED,
    Kind.COMPLAINT: EventType.COMPLAINED,
    Kind.AUTO_REPLY: EventType.AUTO_REPLY,
    Kind.UNSUBSCRIBE: EventType.UNSUBSCRIBED,
}
_NOBODY = RecipientReport(recipient="")


def read_mail(received: Received) -> Report:
    """Read a raw message; raises WebhookUnreadable where a person should look at it.

    Its tokens are not verified here: `resolve` does that, and nothing counts without.
    """
    understood = understand(received.body)
    if understood.kind is Kind.UNKNOWN:
        raise WebhookUnreadable("neither a bounce nor anything else that is known")
    if understood.kind is Kind.COMPLAINT and not understood.is_complaint_of_person:
        return Report(passed=(f"{understood.feedback_type} report",))
    if understood.kind is Kind.UNSUBSCRIBE and not (understood.request or understood.tokens):
        # Anybody may write anything into From: without the link's token it proves nothing.
        raise WebhookUnreadable("asks to unsubscribe without the token of a link")
    return Report(
        events=tuple(
            _event(received, understood, recipient, number)
            for number, recipient in enumerate(_recipients(understood))
        )
    )


def _recipients(understood: Understood) -> Sequence[RecipientReport]:
    told = understood.recipients or (_NOBODY,)
    if not understood.tokens or len(told) == 1:
        return told
    # One copy went to one address; where that forwards to several, one that works is enough.
    return [min(told, key=lambda recipient: recipient.hard)]


def _event(
    received: Received, understood: Understood, recipient: RecipientReport, number: int
) -> ReportedEvent:
    kind = _TYPES[understood.kind]
    hardness = Hardness.HARD if recipient.hard else Hardness.SOFT
    request = (understood.request,) if understood.request else ()
    return ReportedEvent(
        id=f"{received.id}:{number}",
        type=kind,
        at=received.at,
        recipient=recipient.original or recipient.recipient,
        hardness=hardness if kind is EventType.BOUNCED else None,
        reason=recipient.reason,
        tokens=(*request, *understood.tokens),
        message_id=understood.message_id,
        text=recipient.evidence,
    )
