"""Enhanced mail system status codes (RFC 3463, 5248, 7372, 7505) and what they say."""

from __future__ import annotations

import re

from subscribers.reason import Reason

_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![\d.])")


def enhanced_code(text: str) -> str | None:
    """Return the enhanced code (`5.1.1`) that a reply's text starts with, or None."""
    match = _CODE.match(text.lstrip(" #"))
    return match[0] if match else None


#: Subject and detail, whatever the class.
_DETAILS = {
    "1.1": Reason.NO_SUCH_USER,
    "1.2": Reason.NO_SUCH_DOMAIN,
    "1.3": Reason.BAD_ADDRESS,
    "1.4": Reason.SYSTEM,  # ambiguous: more than one mailbox has it
    "1.6": Reason.MOVED,
    "1.7": Reason.RELAY,  # our sender's address
    "1.8": Reason.RELAY,
    "1.9": Reason.PROTOCOL,
    "1.10": Reason.NO_SUCH_DOMAIN,  # null MX; Exchange: recipient not found
    "1.351": Reason.NO_SUCH_USER,  # Exchange Online: the remote server knows no such recipient
    "2.1": Reason.DISABLED,
    "2.2": Reason.MAILBOX_FULL,
    "2.3": Reason.TOO_BIG,
    "2.4": Reason.POLICY,  # a mailing list that did not take it
    "3.4": Reason.TOO_BIG,
    "4.5": Reason.RATE,  # congestion; Gmail: our daily limit, which its words tell
    "7.8": Reason.RELAY,  # our credentials
    "7.9": Reason.POLICY,  # RFC: weak login; Yahoo: policy
    "7.11": Reason.RELAY,
    "7.12": Reason.RELAY,
    "7.13": Reason.DISABLED,
    "7.14": Reason.RELAY,
    "7.15": Reason.RATE,
    "7.16": Reason.POLICY,
    "7.17": Reason.NO_SUCH_USER,  # RFC 7293: the mailbox has a new owner
    "7.18": Reason.NO_SUCH_DOMAIN,
    "7.27": Reason.RELAY,  # RFC 7505: our sender's domain takes no mail
    "7.28": Reason.RATE,  # mail flood; Gmail: unsolicited mail at an unusual rate
    "7.500": Reason.RATE,  # Outlook: server busy
    "7.509": Reason.AUTHENTICATION,
    "7.511": Reason.REPUTATION,
    "7.515": Reason.AUTHENTICATION,
    "7.650": Reason.RATE,
    "7.708": Reason.REPUTATION,
    "7.750": Reason.RELAY,
} | {f"7.{detail}": Reason.AUTHENTICATION for detail in (*range(20, 27), 29, 30)}

#: Outlook: banned sending addresses.
_DETAILS |= {f"7.{detail}": Reason.REPUTATION for detail in range(606, 650)}

#: What the subject alone says. X.0 says nothing.
_SUBJECTS = {
    "1": Reason.BAD_ADDRESS,
    "3": Reason.SYSTEM,
    "4": Reason.NETWORK,
    "5": Reason.PROTOCOL,
    "6": Reason.PROTOCOL,
    "7": Reason.POLICY,
}

#: Codes that servers use for so many things that their words know better.
_VAGUE = frozenset({"1.0", "1.10", "2.0", "2.1", "4.5", "7.9", "7.28"})


def exact(enhanced: str | None) -> Reason | None:
    """Return what an enhanced code says by itself; None if it is vague or unknown."""
    detail = _detail(enhanced)
    return None if detail in _VAGUE else _DETAILS.get(detail)


def vague(enhanced: str | None) -> Reason | None:
    """Return what an enhanced code suggests where nothing tells more."""
    detail = _detail(enhanced)
    return _DETAILS.get(detail) or _SUBJECTS.get(detail.partition(".")[0])


def _detail(enhanced: str | None) -> str:
    return enhanced.partition(".")[2] if enhanced else ""
