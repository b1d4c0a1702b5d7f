"""Why a message did not arrive: one taxonomy, whoever reports it."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why something happened to a message; only some of these are about the address."""

    #: The mailbox does not exist (5.1.1).
    NO_SUCH_USER = "no-such-user"
    #: The domain does not exist or takes no mail (5.1.2, null MX).
    NO_SUCH_DOMAIN = "no-such-domain"
    #: The mailbox exists and was switched off (5.2.1).
    DISABLED = "disabled"
    #: The person has moved (5.1.6).
    MOVED = "moved"
    #: The mailbox is over its quota (x.2.2).
    MAILBOX_FULL = "mailbox-full"
    #: The message is larger than the receiver takes (x.3.4, x.2.3).
    TOO_BIG = "too-big"
    #: The receiver's rules refuse it (5.7.1), without naming spam or reputation.
    POLICY = "policy"
    #: The content was judged to be spam.
    SPAM = "spam"
    #: SPF, DKIM, DMARC or TLS were found wanting (5.7.20-5.7.30).
    AUTHENTICATION = "authentication"
    #: The sending address or domain is listed or distrusted.
    REPUTATION = "reputation"
    #: Too much, too fast (4.7.0, 4.2.1 with such words).
    RATE = "rate"
    #: Greylisted: come back later.
    GREYLISTED = "greylisted"
    #: The receiver's system is in trouble (x.3.x).
    SYSTEM = "system"
    #: The way there is in trouble: DNS, routing, a lost connection (x.4.x).
    NETWORK = "network"
    #: Our own relay refused: login, quota, sender not allowed.
    RELAY = "relay"
    #: The message or the dialogue was malformed (5.5.x, 5.6.x).
    PROTOCOL = "protocol"
    #: The recipient's address is malformed for its receiver (5.1.3).
    BAD_ADDRESS = "bad-address"
    #: Nobody told.
    UNKNOWN = "unknown"


#: The reasons that are about the address, and so may count against a subscriber.
ABOUT_ADDRESS = frozenset(
    {
        Reason.NO_SUCH_USER,
        Reason.NO_SUCH_DOMAIN,
        Reason.DISABLED,
        Reason.MOVED,
        Reason.MAILBOX_FULL,
        Reason.BAD_ADDRESS,
    }
)
