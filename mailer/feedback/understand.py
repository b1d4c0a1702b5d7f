"""Read any message that came in: what happened, to whom, and to which copy of ours. Pure.

bytes -> parts -> complaint | request | report by fields | report in words | auto-reply
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailer.diagnosis.returned import Refused, Returned, codes, judge
from mailer.diagnosis.words import from_words
from mailer.feedback import bounce_text, returned_copy
from mailer.feedback.arf import complaint
from mailer.feedback.auto_reply import (
    is_answer_of_person,
    is_auto_reply,
    is_from_server,
    unsubscribe_request,
)
from mailer.feedback.bounce_text import Found
from mailer.feedback.delivery_status import StatusFields, status_fields
from mailer.feedback.inbound_message import MOST_TEXT, InboundMessage, Part, take_apart
from mailer.feedback.powermta import POWERMTA, POWERMTA_HARD
from mailer.feedback.returned_copy import ReturnedCopy
from mailer.feedback.ses_notice import ses_notice
from mailer.feedback.understood import Kind, RecipientReport, Understood
from subscribers.reason import Reason

MOST_EVIDENCE = 1_000
#: So much of a report is read for what is said in it.
MOST_TOLD = 8_000

#: What a person may well write in a letter.
_SAID_BY_PEOPLE = frozenset({None, Reason.POLICY, Reason.SPAM, Reason.SYSTEM, Reason.RATE})
_GIVEN_UP = re.compile(
    r"permanent (?:fatal )?error|given up|giving up|failed permanently"
    r"|will not be (?:resent|retried)",
    re.IGNORECASE,
)

_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'@]{1,128}@[^\s<>()\[\],;:\"'@]{1,253}")
_RECEIPT = "message/disposition-notification"
_REJECTED = re.compile(r"\b(?:was|been) automatically rejected\b", re.IGNORECASE)
_STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
#: Actions (RFC 3464, 2.3.3, and Postfix's own) that tell of no failure.
_ARRIVED = frozenset({"delivered", "relayed", "expanded", "deliverable"})
_DELAYED = frozenset({"delayed", "delay"})
_IS_DELAY = re.compile(
    r"\bdelay(?:ed)?\b|warning[ :]|still being retried|not yet been delivered"
    r"|temporary failure report|will be retried|has been delayed"
    r"|will (?:continue|keep) (?:to )?(?:try|retry)",
    re.IGNORECASE,
)
#: How people's programs begin the subject of an answer; no server reports so.
_IS_REPLY = re.compile(r"\s*(?:re|aw|sv|vs|antw|odp)\s*:", re.IGNORECASE)
_HAS_ARRIVED = re.compile(
    r"success(?:ful(?:ly)?)? (?:been )?(?:mail )?(?:deliver|relay)"
    r"|(?:delivered|relayed|delivery (?:has been|was)) success"
    r"|(?:lists|groups|recipients?) is complete, but"
    r"|\bdelivery via [^\n]{1,200}: (?:250|delivered)",
    re.IGNORECASE,
)
_FAILS = re.compile(
    r"fail|undeliver|not (?:be )?(?:deliver|sent)|returned|could ?n.t|unable|reject|error|refused"
    r"|unknown|invalid|problem|bounce|blocked|not (?:found|exist)|full|exceed|unzustell|nicht zu"
    r"|non (?:remis|recap|deliver|distrib)|no (?:se )?(?:pudo|entreg|podido)|impossible|erreur"
    r"|配信|送信でき|送信不|エラー|退信|投递|無法|недостав|не доставлен|не может|geri",
    re.IGNORECASE,
)


def understand(raw: bytes) -> Understood:
    """Say what a message means; never raises, and reads a bounded part of however large a one.

    Tokens in it are not verified here, and recipients are as reported: nothing may be done
    about anybody before a copy of ours is found (see `resolve`).
    """
    message = take_apart(raw)
    text = _plain_text(message)
    copy = returned_copy.returned_copy(message, text)
    return replace(
        _read(message, text, copy),
        message_id=returned_copy.message_id(copy),
        tokens=returned_copy.tokens(message, copy),
    )


def _read(message: InboundMessage, text: str, copy: ReturnedCopy) -> Understood:
    return (
        ses_notice(message)
        or _complaint(message, copy)
        or _request(message)
        or _by_fields(message, text)
        or _rejected_inside(message, text)
        or _auto_reply(message)
        or _by_words(message, text, copy)
        or Understood(kind=Kind.UNKNOWN)
    )


def _complaint(message: InboundMessage, copy: ReturnedCopy) -> Understood | None:
    told = complaint(message, copy)
    if told is None:
        return None
    return Understood(
        kind=Kind.COMPLAINT,
        recipients=tuple(RecipientReport(recipient=address) for address in told.recipients),
        feedback_type=told.feedback_type,
    )


def _request(message: InboundMessage) -> Understood | None:
    request = unsubscribe_request(message)
    if request is None:
        return None
    return Understood(
        kind=Kind.UNSUBSCRIBE,
        recipients=_writer(message),
        request=request,
        feedback_type="opt-out",
    )


def _auto_reply(message: InboundMessage) -> Understood | None:
    receipt = message.top.parameters.get("report-type", "").lower() == "disposition-notification"
    answers = is_auto_reply(message) and not is_from_server(message)
    if not answers and is_answer_of_person(message):
        answers = not _FAILS.search(message.header("subject"))
    if receipt or answers:
        return Understood(kind=Kind.AUTO_REPLY, recipients=_writer(message))
    return None


def _writer(message: InboundMessage) -> tuple[RecipientReport, ...]:
    """Who answered: most likely whom our copy had reached."""
    found = _ADDRESS.findall(message.header("from"))[-1:]
    return tuple(RecipientReport(recipient=address) for address in found)


def _plain_text(message: InboundMessage) -> str:
    """What the report says to people: the text before the enclosed copy, plain if there is any."""
    before: list[Part] = []
    for part in message.parts:
        if returned_copy.is_copy(part):
            break
        before.append(part)
    plain = [part.text for part in before if part.kind == "text/plain" and part.text.strip()]
    shown = plain or [part.text for part in before if part.kind.startswith("text/")]
    return "\n".join(shown)[:MOST_TEXT]


# --- reports with fields ------------------------------------------------------------------------


def _by_fields(message: InboundMessage, text: str) -> Understood | None:
    reports = [part.text for part in message.parts if part.kind in _STATUS_KINDS]
    lines = bounce_text.report_lines(text)
    fields = status_fields("\n\n".join(reports)) if reports else ()
    fields = fields or status_fields("\n".join(text.split("\n")[:2_000]))
    if not fields or not any(group.action or group.status for group in fields):
        return None
    shown = _shown(lines, fields)
    kinds = [_kind_of(group) for group in fields]
    kind = next((k for k in (Kind.BOUNCE, Kind.DELAY) if k in kinds), Kind.DELIVERED)
    if len(fields) == 1 and fields[0].diagnostic_type == "x-notes":
        fields = (_as_written(fields[0], lines),)
        shown = _shown(lines, fields)
    recipients = [
        _recipient(group, shown, is_bounce=its is Kind.BOUNCE)
        for group, its in zip(fields, kinds, strict=True)
        if its is kind
    ]
    return Understood(kind=kind, recipients=tuple(recipients))


def _as_written(group: StatusFields, lines: list[str]) -> StatusFields:
    """Domino's fields name the address inside, its text the one that was written to."""
    found = bounce_text.find(lines, own=frozenset())
    return replace(group, final=found[0].recipient) if len(found) == 1 else group


def _kind_of(group: StatusFields) -> Kind:
    if group.action in _ARRIVED or (group.status[:1] == "2" and group.action != "failed"):
        return Kind.DELIVERED
    return Kind.DELAY if group.action in _DELAYED else Kind.BOUNCE


def _shown(lines: list[str], fields: Sequence[StatusFields]) -> dict[str, str]:
    """What the plain text says of each recipient, by lower-case address."""
    if len(fields) == 1:
        return {_address(fields[0]).lower(): "\n".join(lines)}
    found = bounce_text.find(lines, own=frozenset())
    return {entry.recipient.lower(): f"{entry.line}\n{entry.below}" for entry in found}


def _address(group: StatusFields) -> str:
    return group.final or group.original


def _recipient(group: StatusFields, shown: dict[str, str], *, is_bounce: bool) -> RecipientReport:
    around = shown.get(_address(group).lower(), "")
    said = group.diagnostic
    diagnosis = judge(
        Returned(
            said=said or around,
            around=around,
            own="" if said else _own_words(around),
            status=group.status,
            refused=bounce_text.refused_command(around or said),
            remote=group.remote_mta or _address(group),
            is_program=group.diagnostic_type == "x-unix",
        )
    )
    reason, hard = diagnosis.reason, diagnosis.hard
    if reason is Reason.UNKNOWN and group.category in POWERMTA:
        reason, hard = POWERMTA[group.category], group.category in POWERMTA_HARD
    return RecipientReport(
        recipient=_address(group),
        original=group.original if group.final else "",
        hard=hard and is_bounce,
        status=diagnosis.status,
        code=diagnosis.code,
        reason=reason,
        evidence=(said or around)[:MOST_EVIDENCE],
        remote_mta=group.remote_mta,
    )


def _rejected_inside(message: InboundMessage, text: str) -> Understood | None:
    """A mailbox that refuses what its server had taken says so by a receipt (RFC 5429, 2.1)."""
    receipts = [part.text for part in message.parts if part.kind == _RECEIPT]
    if not receipts or not _REJECTED.search(text):
        return None
    said = text[:MOST_EVIDENCE]
    found = judge(Returned(said=said, refused=Refused.MESSAGE))
    return Understood(
        kind=Kind.BOUNCE,
        recipients=tuple(
            RecipientReport(
                recipient=_address(group), status=found.status, reason=found.reason, evidence=said
            )
            for group in status_fields("\n\n".join(receipts))
        ),
    )


# --- reports in words ---------------------------------------------------------------------------


def _by_words(message: InboundMessage, text: str, copy: ReturnedCopy) -> Understood | None:
    lines = bounce_text.report_lines(text)
    told = "\n".join(lines)
    subject = message.header("subject")
    by_server = is_from_server(message)
    told_of = subject if _IS_REPLY.match(subject) else f"{subject}\n{told[:MOST_TOLD]}"
    if not (by_server or _FAILS.search(told_of)):
        return None
    own = frozenset(a.lower() for a in (*_ADDRESS.findall(message.header("to")), *_senders(copy)))
    found = bounce_text.find(lines, own=own)
    is_report = by_server or (_FAILS.search(subject) and _tells_failure(told))
    named = _named(message, found) or (_from_copy(copy, own) if is_report else ())
    if not named or not (by_server or _tells_failure(told)):
        return None
    if _HAS_ARRIVED.search(f"{subject}\n{told[:4_000]}") and not _tells_failure(told):
        return Understood(
            kind=Kind.DELIVERED,
            recipients=tuple(RecipientReport(recipient=entry.recipient) for entry in named),
        )
    is_delay = _IS_DELAY.search(subject) or _IS_DELAY.search(told[:4_000])
    is_bounce = not is_delay or _GIVEN_UP.search(told[:4_000]) is not None
    whole = _Whole(
        told=told[:MOST_TOLD],
        own_words=_own_words(told),
        reporter=_domain("".join(_ADDRESS.findall(message.header("from"))[-1:])),
        refused=bounce_text.refused_command(told[:MOST_TOLD]),
        is_alone=len(named) == 1,
    )
    recipients = (_in_words(entry, whole) for entry in named)
    return Understood(
        kind=Kind.BOUNCE if is_bounce else Kind.DELAY,
        recipients=tuple(
            report if is_bounce else replace(report, hard=False) for report in recipients
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """What a report says altogether, for each of its recipients to fall back on."""

    told: str
    own_words: str
    reporter: str
    refused: Refused
    is_alone: bool


def _senders(copy: ReturnedCopy) -> tuple[str, ...]:
    return copy.addresses("from", "sender", "reply-to", "return-path")


def _named(message: InboundMessage, found: tuple[Found, ...]) -> tuple[Found, ...]:
    """Recipients that a header names, with what the text says of them; else those of the text."""
    failed = _ADDRESS.findall(message.header("x-failed-recipients"))[:100]
    said = {entry.recipient.lower(): entry for entry in found}
    if not failed:
        return found
    return tuple(
        said.get(address.lower(), Found(recipient=address)) for address in dict.fromkeys(failed)
    )


def _from_copy(copy: ReturnedCopy, own: frozenset[str]) -> tuple[Found, ...]:
    """Where a server names nobody, whoever the enclosed copy was for, if that is one person."""
    people = {address.lower(): address for address in copy.addresses("to")}
    people = {key: address for key, address in people.items() if key not in own}
    if len(people) != 1:
        return ()
    return tuple(Found(recipient=address) for address in people.values())


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _tells_failure(told: str) -> bool:
    """Whether words that nobody knows as a server's are a report for all that."""
    code, status = codes(told)
    return bool(code or status or from_words(told) not in _SAID_BY_PEOPLE)


def _own_words(told: str) -> str:
    """What the reporter says for itself: all before the first reply that it quotes."""
    return "\n".join(
        itertools.takewhile(lambda line: not codes(line)[0], told[:MOST_TOLD].split("\n"))
    )


def _said_of_one(line: str, own: str, whole: _Whole) -> str:
    """What is said of the only recipient: a reply with its code, wherever it stands."""
    texts = (line, own, whole.told)
    for part in texts:
        if codes(part)[0] and from_words(part):
            return part
    coded = own if codes(own)[0] else whole.told
    return next((part for part in texts if from_words(part)), coded)


def _said_of(own: str, whole: _Whole) -> str:
    """What is said of one recipient among several; another's reply is only a last resort."""
    paragraph = own.lstrip("\n").partition("\n\n")[0]
    return next(
        (part for part in (paragraph, own) if from_words(part) or codes(part)[0]), whole.told
    )


def _in_words(entry: Found, whole: _Whole) -> RecipientReport:
    own = f"{entry.line}\n{entry.below}"[:MOST_TOLD]
    said = _said_of_one(entry.line, own, whole) if whole.is_alone else _said_of(own, whole)
    commands = map(bounce_text.refused_command, (own, entry.above[-MOST_TOLD:]))
    diagnosis = judge(
        Returned(
            said=said,
            around=whole.told if whole.is_alone else own,
            own=whole.told if whole.reporter == _domain(entry.recipient) else whole.own_words,
            refused=next(filter(None, commands), whole.refused),
            remote=entry.recipient,
        )
    )
    return RecipientReport(
        recipient=entry.recipient,
        hard=diagnosis.hard,
        status=diagnosis.status,
        code=diagnosis.code,
        reason=diagnosis.reason,
        evidence=said.strip()[:MOST_EVIDENCE],
    )
