"""What a message that came in means: values, before it is known which copy of ours it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from subscribers.reason import Reason


class Kind(StrEnum):
    """What came in."""

    #: A copy will not arrive, now or ever.
    BOUNCE = "bounce"
    #: A server says that it is still trying.
    DELAY = "delay"
    #: A server says that the copy has arrived.
    DELIVERED = "delivered"
    #: Somebody called the copy spam (RFC 5965), or a provider reports something like it.
    COMPLAINT = "complaint"
    #: A machine answered in a person's place: vacation, ticket system, challenge.
    AUTO_REPLY = "auto-reply"
    #: A person asks by mail for no more.
    UNSUBSCRIBE = "unsubscribe"
    #: Anything else; a person should look at it.
    UNKNOWN = "unknown"


#: What feedback types (RFC 5965, 6430, 6591) do not tell of a person who complains.
NOBODY_COMPLAINS = frozenset({"auth-failure", "not-spam", "dkim", "virus"})


@dataclass(frozen=True, kw_only=True)
class RecipientReport:
    """What a message says of one recipient.

    `recipient` is the address as reported; `original` the one it was forwarded from, where that
    is told. `status` is an RFC 3463 code or empty, `code` an SMTP code or 0. `hard` where the
    address will never take mail. `evidence` is what was said, not yet cleared of addresses.
    """

    recipient: str
    original: str = ""
    hard: bool = False
    status: str = ""
    code: int = 0
    reason: Reason = Reason.UNKNOWN
    evidence: str = ""
    remote_mta: str = ""


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What a message means, for whom, and what in it names a copy of ours.

    `tokens` may name our delivery (a Return-Path's local part, our header, a Message-ID), best
    first and none of them verified. `request` is the token in the subject of a request to
    unsubscribe. `feedback_type` is empty for all but complaints and requests.
    """

    kind: Kind
    recipients: tuple[RecipientReport, ...] = ()
    message_id: str = ""
    tokens: tuple[str, ...] = ()
    request: str = ""
    feedback_type: str = ""

    @property
    def is_complaint_of_person(self) -> bool:
        """Whether somebody wants no more: an authentication report, say, is no such thing."""
        return self.kind is Kind.COMPLAINT and self.feedback_type not in NOBODY_COMPLAINS
