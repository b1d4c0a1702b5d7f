"""ZoneMTA: its plugin `core/http-bounce` posts a form for each bounce, with HTTP Basic.

Names follow the plugin and the categories of `zone-mta`'s own bounce rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailer.webhooks.blame import blame
from mailer.webhooks.form import read_form
from mailer.webhooks.model import Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Mistake, listed, read_json, report
from subscribers.event import EventType
from subscribers.reason import Reason

_CATEGORIES: Mapping[str, Reason] = {
    "recipient": Reason.NO_SUCH_USER,
    "mailbox": Reason.NO_SUCH_USER,
    "domain": Reason.NO_SUCH_DOMAIN,
    "dns": Reason.NETWORK,
    "quota": Reason.MAILBOX_FULL,
    "capacity": Reason.RATE,
    "rate": Reason.RATE,
    "greylist": Reason.GREYLISTED,
    "blacklist": Reason.REPUTATION,
    "spam": Reason.SPAM,
    "virus": Reason.POLICY,
    "policy": Reason.POLICY,
    "dmarc": Reason.AUTHENTICATION,
    "spf": Reason.AUTHENTICATION,
    "dkim": Reason.AUTHENTICATION,
    "protocol": Reason.PROTOCOL,
    "network": Reason.NETWORK,
    "connection": Reason.NETWORK,
    "timeout": Reason.NETWORK,
    "size": Reason.TOO_BIG,
    "message": Reason.POLICY,
}


def parse(received: Received) -> Report:
    """Read a form, or the same fields as JSON."""
    if received.body.lstrip()[:1] in (b"{", b"["):
        return report(listed(read_json(received.body)), _events, received)
    return report([dict(read_form(received.body))], _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    if not item.text("id"):
        raise Mistake("id is missing")
    said = item.text("response")
    otherwise = _CATEGORIES.get(item.text("category").lower(), Reason.UNKNOWN)
    hardness, reason = blame(None, said=said, otherwise=otherwise)
    yield ReportedEvent(
        id=f"{item.text('id', most=90)}.{item.text('seq', most=20)}.{item.digest()}",
        type=EventType.BOUNCED,
        at=item.moment("time") or received.at,
        recipient=item.address("to"),
        hardness=hardness,
        reason=reason,
        token=item.return_path("returnPath"),
        provider_id=item.text("id", most=255),
        text=said,
    )


SAMPLE = {
    "id": "{id}",
    "seq": "001",
    "to": "nobody@example.com",
    "returnPath": "news@example.com",
    "category": "recipient",
    "time": "{now}",
    "response": "550 5.1.1 The mailbox does not exist",
}
