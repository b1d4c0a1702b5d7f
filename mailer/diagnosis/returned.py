"""The judgement about a copy that came back, from what its report tells (RFC 3463, 3464).

A report knows more than a reply: a status field, the command that was refused, and the reporting
server's own words. And it knows less: who said a thing, and of what, is often lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from mailer.diagnosis.diagnose import Diagnosis, diagnose
from mailer.diagnosis.words import MOST_TEXT, from_words
from subscribers.reason import Reason


class Refused(StrEnum):
    """The command that the receiving server refused."""

    #: Nobody told.
    UNTOLD = ""
    #: The connection itself, or the greeting.
    CONNECTION = "connection"
    #: Our sender.
    SENDER = "sender"
    #: The recipient.
    RECIPIENT = "recipient"
    #: The message, after the recipient had been accepted.
    MESSAGE = "message"


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What a report says of one recipient.

    `said` is the refusing server's reply (or the reporter's words, where it is local), `around`
    what else stands beside it, `own` what of that surely are the reporter's own words; `status`
    the report's own RFC 3463 code, or empty. `remote` is the refusing host, or the recipient
    where that isn't told. `is_program` where a program on the receiving system failed, not its
    mail server.
    """

    said: str
    around: str = ""
    own: str = ""
    status: str = ""
    refused: Refused = Refused.UNTOLD
    remote: str = ""
    is_program: bool = False


@dataclass(frozen=True, kw_only=True)
class ReturnDiagnosis(Diagnosis):
    """A judgement with the codes that it rests on; `code` 0 and `status` empty for none."""

    code: int
    status: str


_REPLY = re.compile(
    r"(?<![\w.:/=\[-])([45]\d\d)(?![\w./:])(?:[ \t'-]{1,3}#?\(?([45]\.\d{1,3}\.\d{1,3})(?![\w.]))?"
)
_STATUS = re.compile(r"(?<![\w.])([45]\.\d{1,3}\.\d{1,3})(?![\w.])")

#: KDDI's mobile domains answer in two ways: with the address there is no such user; without it a
#: user's filter refuses the sender.
_KDDI = re.compile(
    r"(?:^|[.@])(?:ezweb\.ne\.jp|au\.com|auone-net\.jp|uqmobile\.jp|dion\.ne\.jp)\.?$"
)
_KDDI_REFUSES = re.compile(
    r"\b550 <[^<>\s]{1,256}>: (?:user unknown|recipient address rejected\.)", re.IGNORECASE
)
#: A user's filter that answers with the code for nobody: KDDI's, and Facebook's as documented.
_FILTER = re.compile(r"\b550 : user unknown|\b(?:rcp-p[23]|int-p2)\b", re.IGNORECASE)

#: What a reader has set up for themselves, whatever code it is told with.
_READERS = re.compile(r"recipient preferences|only accepting mail from", re.IGNORECASE)

#: RFC 3463 details that name the mailbox as what is missing; the rest of 1.x and 2.x is vaguer.
#: 4.1 is Exchange Online's "access denied", 5.0 Outlook.com's "mailbox unavailable".
_NO_MAILBOX = frozenset({"1.0", "1.1", "1.10", "1.351", "4.1", "5.0", "7.17"})
#: Servers that have asked their mailboxes, and then say what came of it.
_ASKED = re.compile(r"\bdelivery error\b", re.IGNORECASE)
#: Gone, where the code says so too; a code for a mailbox switched off tells the other thing.
_INACTIVE = re.compile(r"\binactive\b|\bnot active\b", re.IGNORECASE)
#: What the reporter's own words may excuse, whatever the code.
_EXCUSES = frozenset({Reason.MAILBOX_FULL, Reason.DISABLED})
_SAYS_NOTHING = re.compile(r"[45]\.(?:0\.\d+|[57]\.0)")
#: A gateway's own guess before the reply that it quotes (Cisco's, and Amazon's in its time).
_GUESS = re.compile(r"^\s*5\.\d\.\d - [^'\n]{0,80}?(?=[45]\d\d-?')")


def codes(text: str) -> tuple[int, str]:
    """The SMTP code and the most telling enhanced code that stand in a text; 0 and empty."""
    replies = _REPLY.findall(text)
    code = int(replies[0][0]) if replies else 0
    statuses = [status for _, status in replies if status] + _STATUS.findall(text)
    telling = [status for status in statuses if not _SAYS_NOTHING.fullmatch(status)]
    return code, next(iter(telling or statuses), "")


def judge(returned: Returned) -> ReturnDiagnosis:
    """Judge a copy that came back for good; what is only delayed is never hard anyway."""
    returned = replace(returned, said=_GUESS.sub("", returned.said[:MOST_TEXT]))
    code, status = codes(returned.said)
    if not status or (_SAYS_NOTHING.fullmatch(status) and returned.status):
        status = returned.status or status
    reason, hard = _judge(returned, code, status)
    return ReturnDiagnosis(reason=reason, hard=hard, code=code, status=status)


def _judge(returned: Returned, code: int, status: str) -> tuple[Reason, bool]:
    told = from_words(returned.said)
    around = from_words(returned.around)
    if returned.is_program:
        return (told if told in _EXCUSES else Reason.SYSTEM), False
    if _FILTER.search(returned.said) or (told is Reason.POLICY and _READERS.search(returned.said)):
        return Reason.POLICY, False
    text = returned.said if told else f"{returned.said}\n{returned.around}"
    verdict = _as_final(code, status, text)
    reason = verdict.reason
    if _KDDI_REFUSES.search(returned.said) and _KDDI.search(returned.remote.lower()):
        return Reason.NO_SUCH_USER, True
    is_gone = status == "5.1.1" and around is told and _INACTIVE.search(returned.said)
    if around in _EXCUSES and reason in (Reason.NO_SUCH_USER, Reason.UNKNOWN) and not is_gone:
        return around, False
    if reason is Reason.BAD_ADDRESS and codes(returned.said)[1] == "5.1.0":
        return reason, returned.refused in (Refused.UNTOLD, Refused.RECIPIENT)
    if status == "5.4.4" and code == 0 and reason is Reason.NETWORK:
        return Reason.NO_SUCH_DOMAIN, True
    if reason is Reason.NO_SUCH_USER:
        return reason, _is_confirmed(returned, code, status)
    if returned.refused in (Refused.SENDER, Refused.CONNECTION):
        return reason, verdict.hard and (status.endswith(".1.1") or code in (521, 556))
    return reason, verdict.hard


def _as_final(code: int, status: str, text: str) -> Diagnosis:
    """What was tried for days and then given up is final, though each reply said: later."""
    if status.endswith(".1.1") or (not status and code == 0):
        return diagnose(550, status and f"5{status[1:]}", text)
    return diagnose(code, status or None, text)


def _is_confirmed(returned: Returned, code: int, status: str) -> bool:
    """Whether "no such user" is meant.

    A server that took the recipient and refuses the message with these words has the user, and
    a filter of theirs; so they count where the recipient was refused, where the code says so,
    and where the reporting server speaks for itself.
    """
    is_final = status.startswith("5") or status.endswith(".1.1")
    if is_final and status.partition(".")[2] in _NO_MAILBOX:
        return True
    if returned.refused is Refused.RECIPIENT or _ASKED.search(returned.said):
        return not (status or str(code)).startswith("4")
    if returned.refused is not Refused.UNTOLD:
        return False
    return code == 0 or from_words(returned.own) is Reason.NO_SUCH_USER
