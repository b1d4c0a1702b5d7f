"""Unisender Go: an MD5 of the body with our API key in it; events by user and project.

Names follow "Webhook" in the Web API documentation of Unisender Go, which UniOne shares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from mailer.errors import WebhookRefused
from mailer.webhook_settings import WebhooksSettings
from mailer.webhooks import verify as prove
from mailer.webhooks.blame import blame
from mailer.webhooks.model import Incoming, Received, Report, ReportedEvent
from mailer.webhooks.payload import Item, Passed, kind_of, listed, read_json, report
from subscribers.event import EventType
from subscribers.reason import Reason

_TYPES: Mapping[str, EventType | None] = {
    "accepted": None,
    "scheduled": None,
    "sent": None,
    "resent": None,
    "delivered": EventType.DELIVERED,
    "delayed": EventType.DEFERRED,
    "soft_bounced": EventType.BOUNCED,
    "hard_bounced": EventType.BOUNCED,
    "spam": EventType.COMPLAINED,
    "unsubscribed": EventType.UNSUBSCRIBED,
    "subscribed": None,
    "opened": EventType.OPENED,
    "clicked": EventType.CLICKED,
}
_STATUSES: Mapping[str, Reason] = {
    "err_user_unknown": Reason.NO_SUCH_USER,
    "err_user_inactive": Reason.DISABLED,
    "err_mailbox_discarded": Reason.DISABLED,
    "err_mailbox_full": Reason.MAILBOX_FULL,
    "err_domain_inactive": Reason.NO_SUCH_DOMAIN,
    "err_spam_rejected": Reason.SPAM,
    "err_spam_folder": Reason.SPAM,
    "err_spam_removed": Reason.SPAM,
    "err_spam_retry": Reason.SPAM,
    "err_spam_skipped": Reason.SPAM,
    "err_blacklisted": Reason.REPUTATION,
    "err_too_large": Reason.TOO_BIG,
    "err_will_retry": Reason.SYSTEM,
    "err_resend": Reason.SYSTEM,
    "err_destination_misconfigured": Reason.SYSTEM,
    "err_giveup": Reason.NETWORK,
    # Unisender's own lists, and its own trouble.
    "err_unreachable": Reason.RELAY,
    "err_unsubscribed": Reason.RELAY,
    "err_skip_letter": Reason.RELAY,
    "err_not_allowed": Reason.RELAY,
    "err_lost": Reason.RELAY,
    "err_internal": Reason.RELAY,
}


def verify(settings: WebhooksSettings, request: Incoming) -> str:
    """Check `auth`: MD5 of the body in which our API key stands in its place."""
    auth = Item(read_json(request.body)).text("auth", most=64)
    given = auth.encode("utf-8", "replace")
    quoted = b'"' + given + b'"'
    if len(given) != 32 or quoted not in request.body:
        raise WebhookRefused
    secret = b'"' + settings.unisender_go.key.encode() + b'"'
    expected = hashlib.md5(request.body.replace(quoted, secret, 1), usedforsecurity=False)
    prove.same(given.lower(), expected.hexdigest().encode())
    return prove.body_id(request.body)


def parse(received: Received) -> Report:
    """Read one event or those of all users in it."""
    body = Item(read_json(received.body))
    if body.raw("events_by_user") is None:
        alone = body.raw()
        found: list[object] = [
            {name: value for name, value in alone.items() if name != "auth"}
            if isinstance(alone, dict)
            else alone
        ]
    else:
        found = []
        for user in body.items("events_by_user"):
            events = user.raw("events")
            found.extend(events if isinstance(events, list) else [])
    return report(listed(found), _events, received)


def _events(item: Item, received: Received) -> Iterator[ReportedEvent]:
    if item.text("event_name") not in ("", "transactional_email_status"):
        raise Passed(item.text("event_name")[:60])
    data = item.item("event_data") if item.raw("event_data") is not None else item
    kind = kind_of(_TYPES, data.text("status"))
    info = data.item("delivery_info")
    said = info.text("destination_response") or data.text("comment")
    known = _STATUSES.get(info.text("delivery_status"), Reason.UNKNOWN)
    hardness, reason = (
        blame(data.text("status") == "hard_bounced", known, said=said)
        if kind is EventType.BOUNCED
        else (None, Reason.UNKNOWN)
    )
    yield ReportedEvent(
        id=item.digest(),
        type=kind,
        at=data.moment("event_time") or received.at,
        recipient=data.address("email"),
        hardness=hardness,
        reason=reason,
        token=data.token("metadata"),
        provider_id=data.text("job_id", most=255),
        text=said or info.text("delivery_status"),
    )


SAMPLE = {
    "auth": "{signature}",
    "events_by_user": [
        {
            "user_id": 1,
            "events": [
                {
                    "event_name": "transactional_email_status",
                    "event_data": {
                        "job_id": "{id}",
                        "email": "nobody@example.com",
                        "status": "hard_bounced",
                        "event_time": "{utc}",
                        "delivery_info": {
                            "delivery_status": "err_user_unknown",
                            "destination_response": "550 5.1.1 No such mailbox",
                        },
                    },
                }
            ],
        }
    ],
}
