"""Complaints: feedback reports (RFC 5965) and the shapes that providers had before them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailer.feedback.inbound_message import InboundMessage, Part
from mailer.feedback.returned_copy import ReturnedCopy

_TYPE = re.compile(
    r"^[ \t>]{0,4}feedback-type[ \t]*:[ \t]*([\w-]{1,40})", re.IGNORECASE | re.MULTILINE
)
_RECIPIENT = re.compile(
    r"^[ \t>]{0,4}(?:original-rcpt-to|removal-recipient|original-recipient)[ \t]*:[ \t]*"
    r"(?:rfc822;)?[ \t]*<?([^\s<>;,\"]{1,128}@[^\s<>;,\"]{1,253})",
    re.IGNORECASE | re.MULTILINE,
)
_OLD_SUBJECT = re.compile(
    r"complaint about message from|^e-?mail feedback report|abuse report|spam report"
    r"|^\[?(?:scomp|fbl|feedback loop)\b|spam complaint",
    re.IGNORECASE,
)
_OLD_SENDER = re.compile(
    r"staff@hotmail\.com|scomp@aol\.net|fbl@|feedback(?:loop)?@|complaints?@|@fbl\.|@arf\.",
    re.IGNORECASE,
)
_ABUSE_WORDS = re.compile(
    r"(?:abuse|spam|opt-out|fraud) (?:report|complaint) for an? (?:e-?mail )?message", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """Whose, as far as it is told (providers black the address out), and of what type."""

    feedback_type: str
    recipients: tuple[str, ...]


def complaint(message: InboundMessage, copy: ReturnedCopy) -> Complaint | None:
    """Read a message as a complaint; None where it is none."""
    fields = _fields(message)
    if fields is None and not _is_old_shape(message, copy):
        return None
    text = fields or ""
    named = _TYPE.search(text)
    told = _RECIPIENT.findall(text)
    return Complaint(
        feedback_type=named[1].lower() if named else "abuse",
        recipients=_plain(told or _from_copy(copy)),
    )


def _fields(message: InboundMessage) -> str | None:
    """The report's fields, in their own part or, where its type was lost, in a text part."""
    declared = message.top.parameters.get("report-type", "").lower() == "feedback-report"
    for part in message.parts:
        if part.kind == "message/feedback-report":
            return part.text
    texts = [part for part in message.parts if _may_hold_fields(part, declared=declared)]
    if texts:
        return texts[0].text
    return "" if declared else None


def _may_hold_fields(part: Part, *, declared: bool) -> bool:
    if not part.kind.startswith(("text/", "message/")) or not _TYPE.search(part.text):
        return False
    return (
        declared
        or re.search(r"^user-agent[ \t]*:", part.text, re.IGNORECASE | re.MULTILINE) is not None
    )


def _is_old_shape(message: InboundMessage, copy: ReturnedCopy) -> bool:
    if copy.header("x-hmxmroriginalrecipient"):
        return True
    has_copy = any(part.kind == "message/rfc822" for part in message.parts)
    told = _OLD_SUBJECT.search(message.header("subject")) is not None
    by_office = _OLD_SENDER.search(message.header("from")) is not None
    in_words = any(_ABUSE_WORDS.search(part.text[:2_000]) for part in message.parts[:2])
    return has_copy and (in_words or (told and by_office))


def _from_copy(copy: ReturnedCopy) -> tuple[str, ...]:
    return copy.addresses("x-hmxmroriginalrecipient") or copy.addresses("to")


def _plain(addresses: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address.strip("'.") for address in addresses))[:100]
