"""Amazon SES notifications that an SNS topic sends as mail: JSON in plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mailer.diagnosis.returned import Returned, judge
from mailer.feedback.inbound_message import InboundMessage
from mailer.feedback.understood import Kind, RecipientReport, Understood

_KINDS = {
    "bounce": (Kind.BOUNCE, "bounce", "bouncedRecipients"),
    "complaint": (Kind.COMPLAINT, "complaint", "complainedRecipients"),
    "delivery": (Kind.DELIVERED, "delivery", "recipients"),
    "deliverydelay": (Kind.DELAY, "deliveryDelay", "delayedRecipients"),
}


def ses_notice(message: InboundMessage) -> Understood | None:
    """Read a notification; None where the message is none."""
    text = message.parts[0].text if message.parts else ""
    start = text.find("{")
    if start < 0 or start > 200 or ("otificationType" not in text and "ventType" not in text):
        return None
    try:
        notice, _ = json.JSONDecoder(strict=False).raw_decode(text[start:])
    except (ValueError, RecursionError):
        return None
    kind, part, people = _KINDS.get(
        _text(notice, "notificationType", "eventType").lower(), (Kind.UNKNOWN, "", "")
    )
    told = notice.get(part) if isinstance(notice, Mapping) else None
    if not isinstance(told, Mapping):
        return None
    recipients = told.get(people)
    return Understood(
        kind=kind,
        recipients=tuple(
            _recipient(entry, told, kind)
            for entry in (recipients if isinstance(recipients, list) else [])[:500]
        ),
        feedback_type=_text(told, "complaintFeedbackType") if kind is Kind.COMPLAINT else "",
    )


def _recipient(entry: object, told: Mapping[str, object], kind: Kind) -> RecipientReport:
    if isinstance(entry, str):
        said = _text(told, "smtpResponse")
        found = judge(Returned(said=said))
        return RecipientReport(recipient=entry, evidence=said, code=found.code, status=found.status)
    said = _text(entry, "diagnosticCode").partition(";")[2].strip()
    if kind is Kind.COMPLAINT:
        return RecipientReport(recipient=_text(entry, "emailAddress"))
    found = judge(Returned(said=said, status=_text(entry, "status")))
    return RecipientReport(
        recipient=_text(entry, "emailAddress"),
        hard=kind is Kind.BOUNCE and found.hard,
        status=found.status,
        code=found.code,
        reason=found.reason,
        evidence=said,
    )


def _text(value: object, *names: str) -> str:
    """The first of these members that is text."""
    if not isinstance(value, Mapping):
        return ""
    return next((found for name in names if isinstance(found := value.get(name), str)), "")
