"""The one judgement about replies: whose trouble it is, and whether it will pass."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.diagnosis.enhanced import exact, vague
from mailer.diagnosis.words import from_words
from subscribers.reason import ABOUT_ADDRESS, Reason


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Why, and whether the address itself is at fault for good.

    `hard` is a reason to write to this address no more; a refusal for policy, spam, rate,
    or a mailbox that is full or switched off never is, whatever its code.
    """

    reason: Reason
    hard: bool


#: What an RFC 5321 code says alone. 550 and 554 are used for everything, and so say nothing.
_PLAIN_CODES = {
    421: Reason.SYSTEM,
    432: Reason.RELAY,
    451: Reason.SYSTEM,
    452: Reason.SYSTEM,
    454: Reason.RELAY,
    455: Reason.PROTOCOL,
    500: Reason.PROTOCOL,
    501: Reason.PROTOCOL,
    502: Reason.PROTOCOL,
    503: Reason.PROTOCOL,
    504: Reason.PROTOCOL,
    521: Reason.NO_SUCH_DOMAIN,
    530: Reason.RELAY,
    534: Reason.RELAY,
    535: Reason.RELAY,
    538: Reason.RELAY,
    551: Reason.MOVED,
    552: Reason.MAILBOX_FULL,
    553: Reason.BAD_ADDRESS,
    555: Reason.PROTOCOL,
    556: Reason.NO_SUCH_DOMAIN,
}

#: Codes that are about our login whatever the words and enhanced code (RFC 4954).
_LOGIN = frozenset({530, 534, 535, 538})

#: Reasons that, once a permanent reply gives them, won't pass. A full mailbox is emptied, and one
#: that is switched off may be switched on again: that counts, and isn't the end.
_HARD = ABOUT_ADDRESS - {Reason.MAILBOX_FULL, Reason.DISABLED}

#: Named in words, these clear an address that the code accuses.
_EXCUSES = frozenset(
    {
        Reason.MAILBOX_FULL,
        Reason.SPAM,
        Reason.AUTHENTICATION,
        Reason.REPUTATION,
        Reason.RATE,
        Reason.GREYLISTED,
        Reason.RELAY,
    }
)


def diagnose(code: int, enhanced: str | None, text: str) -> Diagnosis:
    """Judge a refusal by its SMTP code (0: none), enhanced code and words.

    Serves replies and delivery status notifications alike (RFC 3463, 3464, 5321).
    """
    reason, told = _reason(code, enhanced, text)
    return Diagnosis(reason=reason, hard=told and reason in _HARD and _is_permanent(code, enhanced))


def _reason(code: int, enhanced: str | None, text: str) -> tuple[Reason, bool]:
    """The reason, and whether more than a plain or vague code tells it."""
    if code in _LOGIN:
        return Reason.RELAY, True
    coded, told = exact(enhanced), from_words(text)
    if coded in ABOUT_ADDRESS and told in _EXCUSES:
        return told, True
    if known := coded or told:
        return known, True
    if code == 521 and enhanced == "5.3.2":  # RFC 7504: a host that takes no mail at all
        return Reason.NO_SUCH_DOMAIN, True
    if guess := vague(enhanced):
        return guess, enhanced is not None and enhanced.endswith((".2.1", ".1.10"))
    return _PLAIN_CODES.get(code, Reason.UNKNOWN), code == 556


def _is_permanent(code: int, enhanced: str | None) -> bool:
    """Both must say so where both stand: what one calls passing is tried again."""
    return code // 100 in (0, 5) and (enhanced[:1] == "5" if enhanced else code != 0)
