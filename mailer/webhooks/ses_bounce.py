"""How Amazon SES classes bounces; Resend, which sends through it, does the same."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.webhooks.blame import blame
from subscribers.event import Hardness
from subscribers.reason import Reason

_TYPES: Mapping[str, bool | None] = {"permanent": True, "transient": False, "undetermined": False}
#: By bounceSubType; what says no more than the type is left to the receiver's words.
_SUBTYPES: Mapping[str, Reason] = {
    "noemail": Reason.NO_SUCH_USER,
    "suppressed": Reason.NO_SUCH_USER,
    # Also of those who complained, or were entered by hand.
    "onaccountsuppressionlist": Reason.RELAY,
    "unsubscribedrecipient": Reason.RELAY,
    "mailboxfull": Reason.MAILBOX_FULL,
    "messagetoolarge": Reason.TOO_BIG,
    "contentrejected": Reason.SPAM,
    "attachmentrejected": Reason.POLICY,
    "customtimeoutexceeded": Reason.NETWORK,
}


def ses_blame(kind: str, subtype: str, *, said: str, status: str = "") -> tuple[Hardness, Reason]:
    """Hardness and reason by `bounceType` and `bounceSubType` ("Bounce object", SES)."""
    hard = _TYPES.get(kind.lower(), False)
    reason = _SUBTYPES.get(subtype.lower(), Reason.UNKNOWN)
    return blame(hard, reason, said=said, status=status)
