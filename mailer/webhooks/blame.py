"""What a provider calls a bounce becomes our hardness and reason, in the one taxonomy."""

from __future__ import annotations

import re

from mailer.diagnosis import Diagnosis, diagnose
from subscribers.event import Hardness
from subscribers.reason import Reason

#: The first SMTP code, and the first enhanced code, in what a server said.
_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")
_ENHANCED = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
#: Where a reply's codes are looked for.
_START = 300

#: Too vague to excuse an address that its provider calls dead.
_VAGUE = frozenset({Reason.UNKNOWN, Reason.NETWORK, Reason.SYSTEM, Reason.PROTOCOL})


def judge(said: str, *, code: int = 0, status: str = "") -> Diagnosis:
    """Judge a server's words as they stand in a report, wherever in them the codes are."""
    start = said[:_START]
    found = _CODE.search(start)
    enhanced = _ENHANCED.search(status) or _ENHANCED.search(start)
    number = code if 400 <= code < 600 else int(found[1]) if found else 0
    return diagnose(number, enhanced[0] if enhanced else None, said)


def blame(
    hard: bool | None,
    reason: Reason = Reason.UNKNOWN,
    *,
    said: str = "",
    code: int = 0,
    status: str = "",
    otherwise: Reason = Reason.UNKNOWN,
) -> tuple[Hardness, Reason]:
    """Hardness and reason of a bounce.

    `hard` and `reason` are what the provider's own words map to: `hard` None where it does not
    say, `reason` unknown where its class names none; then what the server said decides, and
    `otherwise` where that is vague. A full mailbox is never hard, and a hard bounce that
    nothing explains is an address that does not exist.
    """
    verdict = judge(said, code=code, status=status)
    known = verdict.reason if reason is Reason.UNKNOWN else reason
    if known in _VAGUE and otherwise is not Reason.UNKNOWN:
        known = otherwise
    if hard is None:
        hard = verdict.hard
    elif hard and reason is Reason.UNKNOWN and known in _VAGUE:
        known = Reason.NO_SUCH_USER
    hard = hard and known is not Reason.MAILBOX_FULL
    return (Hardness.HARD if hard else Hardness.SOFT), known
