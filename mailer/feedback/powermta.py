"""PowerMTA's bounce categories, as its reports name them."""

from __future__ import annotations

from subscribers.reason import Reason

#: PowerMTA's categories, where its server's words say nothing.
POWERMTA = {
    "bad-mailbox": Reason.NO_SUCH_USER,
    "bad-domain": Reason.NO_SUCH_DOMAIN,
    "inactive-mailbox": Reason.DISABLED,
    "quota-issues": Reason.MAILBOX_FULL,
    "spam-related": Reason.SPAM,
    "virus-related": Reason.POLICY,
    "policy-related": Reason.POLICY,
    "content-related": Reason.POLICY,
    "relaying-issues": Reason.RELAY,
    "invalid-sender": Reason.RELAY,
    "routing-errors": Reason.NETWORK,
    "bad-connection": Reason.NETWORK,
    "no-answer-from-host": Reason.NETWORK,
    "message-expired": Reason.NETWORK,
    "protocol-errors": Reason.PROTOCOL,
    "bad-configuration": Reason.SYSTEM,
}
#: Those that say of an address itself that it is dead.
POWERMTA_HARD = frozenset({"bad-mailbox", "bad-domain"})
