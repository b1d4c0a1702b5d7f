"""What the end of a dialogue means for its message: pure, one place for every verdict."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.delivery.dialects import SMTP, Dialect
from mailer.delivery.model import Message, Phase, Verdict
from mailer.delivery.smtp.commands import Capabilities, is_safe, needs_utf8, provider_id
from mailer.delivery.smtp.reply import Reply
from mailer.diagnosis import Diagnosis, diagnose, redact
from subscribers.reason import Reason


@dataclass(frozen=True, kw_only=True)
class Handed:
    """How handing one message to the relay ended.

    `code` is 0 where no reply came; `text` then tells the trouble in our words. `text` is
    cleared of addresses. `hard`: the server refused the address itself for good. `reusable`:
    the connection can take the next message; if not, it is closed already. `limit`: the relay
    itself has enough of us, whoever the recipient is.
    """

    verdict: Verdict
    phase: Phase
    code: int = 0
    enhanced: str | None = None
    text: str = ""
    reason: Reason = Reason.UNKNOWN
    hard: bool = False
    provider_id: str | None = None
    reusable: bool = True
    limit: bool = False


def unsendable(message: Message, offered: Capabilities, *, ascii_only: bool) -> Handed | None:
    """Say why a message must not be begun on such a connection, or None if it may.

    `ascii_only` says that its content is ASCII.
    """
    if not is_safe(message.envelope_to):
        return _refused_by_us(Reason.BAD_ADDRESS, Phase.RCPT, "no address that SMTP can carry")
    if message.envelope_from and not is_safe(message.envelope_from):
        return _refused_by_us(Reason.PROTOCOL, Phase.MAIL, "the envelope sender is no address")
    if needs_utf8(message) and not offered.smtputf8:
        return _refused_by_us(
            Reason.BAD_ADDRESS,
            Phase.MAIL,
            "the address needs SMTPUTF8 (RFC 6531), which the relay does not offer",
        )
    if not ascii_only and not offered.eight_bit:
        return _refused_by_us(
            Reason.PROTOCOL,
            Phase.MAIL,
            "the message is not ASCII, and the relay does not offer 8BITMIME",
        )
    if 0 < offered.size < len(message.content):
        return _refused_by_us(
            Reason.TOO_BIG,
            Phase.MAIL,
            f"the message has {len(message.content)} bytes, the relay takes {offered.size}",
        )
    return None


def _refused_by_us(reason: Reason, phase: Phase, text: str) -> Handed:
    return Handed(verdict=Verdict.FAILED, phase=phase, reason=reason, text=text)


def cut_off(phase: Phase, trouble: str, *, may_have_left: bool) -> Handed:
    """Judge a dialogue that ended without a reply."""
    return Handed(
        verdict=Verdict.UNKNOWN if may_have_left else Verdict.DEFERRED,
        phase=phase,
        text=redact(trouble),
        reason=Reason.NETWORK,
        reusable=False,
    )


def out_of_step(phase: Phase, reply: Reply, *, may_have_left: bool) -> Handed:
    """Judge a reply that can't be the answer to what was asked."""
    return Handed(
        verdict=Verdict.UNKNOWN if may_have_left else Verdict.DEFERRED,
        phase=phase,
        code=reply.code,
        enhanced=reply.enhanced,
        text=f"out of step: {redact(reply.text)}",
        reason=Reason.PROTOCOL,
        reusable=False,
    )


def accepted(reply: Reply, dialect: Dialect = SMTP) -> Handed:
    """Judge a 250 to the final dot."""
    return Handed(
        verdict=Verdict.SENT,
        phase=Phase.REPLY,
        code=reply.code,
        enhanced=reply.enhanced,
        text=redact(reply.text) if "@" in reply.text else reply.text,
        provider_id=dialect.id_in(reply.text) or provider_id(reply.text),
    )


def refused(
    message: Message,
    phase: Phase,
    reply: Reply,
    *,
    reusable: bool = True,
    ours: frozenset[int] = frozenset(),
    dialect: Dialect = SMTP,
) -> Handed:
    """Judge a 4xx or 5xx, which is definite wherever it comes.

    What is our own fault (503, and the codes of `ours`), or between us and our relay (a login
    it misses, a quota), never fails a recipient: it is tried again, and ends with the retries.
    """
    limit = dialect.is_limit(reply.text)
    told = (
        Diagnosis(reason=Reason.RATE, hard=False)
        if limit
        else diagnose(reply.code, reply.enhanced, reply.text)
    )
    confused = reply.code == 503 or reply.enhanced == "5.5.1" or reply.code in ours
    for_good = reply.code >= 500 and not (confused or limit or told.reason is Reason.RELAY)
    return Handed(
        verdict=Verdict.FAILED if for_good else Verdict.DEFERRED,
        phase=phase,
        code=reply.code,
        enhanced=reply.enhanced,
        text=redact(reply.text, message.envelope_to),
        reason=Reason.PROTOCOL if confused else told.reason,
        hard=told.hard and for_good,
        reusable=reusable and not confused and reply.code != 421,
        limit=limit and not confused,
    )
