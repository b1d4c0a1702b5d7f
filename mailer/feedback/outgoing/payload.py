"""What is sent: one JSON document, signed after Standard Webhooks. Pure.

`version` counts up when a field changes its meaning or goes; new fields may come at any time.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from mailer.feedback.outgoing.model import Call, Endpoint, Subject
from subscribers.token import Keyring

VERSION = 1
_PURPOSE = "outgoing-webhook"


def secret(keyring: Keyring, seed: str) -> str:
    """The secret that belongs to a seed, as receivers' libraries take it."""
    raw = keyring.derived_secret(_PURPOSE, seed)
    return "whsec_" + base64.b64encode(raw).decode("ascii")


def body(call: Call) -> bytes:
    """The document of a call."""
    told = {
        "id": call.message_id,
        "type": call.type,
        "version": VERSION,
        "timestamp": _iso(call.at),
        "sequence": call.id,
        "data": {**_data(call.subject), **call.facts},
    }
    return json.dumps(told, ensure_ascii=False).encode()


def headers(
    endpoint: Endpoint, message_id: str, content: bytes, *, keyring: Keyring, now: datetime
) -> Mapping[str, str]:
    """The headers that prove a call to be ours; with each secret that still counts."""
    seeds = [endpoint.seed]
    if endpoint.old_seed and endpoint.old_seed_until and now < endpoint.old_seed_until:
        seeds.append(endpoint.old_seed)
    text = content.decode()
    signed = [Webhook(secret(keyring, seed)).sign(message_id, now, text) for seed in seeds]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _data(subject: Subject) -> dict[str, object]:
    data: dict[str, object] = {"newsletter": subject.newsletter}
    if subject.subscriber_id is not None:
        data["subscriber"] = {"id": subject.subscriber_id, "email": subject.email}
    if subject.campaign_id is not None:
        data["campaign"] = {
            "id": subject.campaign_id,
            "issue": subject.issue_number,
            "subject": subject.campaign_subject,
        }
    return data


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
