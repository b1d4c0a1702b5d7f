"""Requests of real providers, from the folder that PRESSRUN_CORPUS names, and what they mean."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.webhooks.model import Received, ReportedEvent
from mailer.webhooks.payload import Item, read_json
from mailer.webhooks.providers import PROVIDERS

AT = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
#: What the set calls an event that never reached anybody else's server, or never will.
OURS = {
    "bounced": "bounced",
    "rejected": "bounced",
    "failed": "bounced",
    "deferred": "deferred",
    "delivered": "delivered",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
    "opened": "opened",
    "clicked": "clicked",
    "autoresponded": "auto-reply",
    # These change nothing.
    "sent": None,
    "queued": None,
    "subscribed": None,
    "unknown": None,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    provider: str
    name: str
    body: bytes
    headers: dict[str, str]
    expected: list[dict[str, object]]

    @property
    def received(self) -> Received:
        """As it would be kept: its id is what the provider's verifier would have given."""
        id_ = self.headers.get("svix-id") or self.headers.get("x-amz-sns-message-id") or "r"
        if self.provider == "mailgun" and self.body.startswith(b"{"):
            id_ = Item(read_json(self.body)).text("signature", "token")
        return Received(id=id_, at=AT, body=self.body)


def cases() -> list[Case]:
    folder = os.environ.get("PRESSRUN_CORPUS")
    if not folder:
        return []
    found = []
    for path in sorted((Path(folder) / "webhooks").glob("*.json")):
        for one in json.loads(path.read_text(encoding="utf-8")):
            found.append(
                Case(
                    provider=path.stem,
                    name=one["case"],
                    body=one["body"].encode(),
                    headers={k.lower(): str(v) for k, v in one["headers"].items()},
                    expected=[event for event in one["events"] if event["kind"] == "tracking"],
                )
            )
    return found


def required() -> list[Case]:
    """All cases; skips the test where there are none to be had."""
    found = cases()
    if not found:
        pytest.skip("PRESSRUN_CORPUS names no folder with real webhooks")
    return found


def verdict(case: Case) -> str:
    """`right`, or what is wrong."""
    report = PROVIDERS[case.provider].parse(case.received)
    if report.mistakes:
        return f"mistakes: {report.mistakes}"
    wanted = [event for event in case.expected if OURS[str(event["type"])]]
    passed = len(case.expected) - len(wanted)
    if len(report.passed) + (1 if report.confirm else 0) < (1 if passed else 0):
        return "something was not passed over"
    if len(wanted) != len(report.events):
        return f"{len(report.events)} events instead of {len(wanted)}"
    wrong = [
        words
        for event, told in zip(wanted, report.events, strict=True)
        for words in _differences(event, told)
    ]
    return "; ".join(wrong) or "right"


def _differences(event: dict[str, object], told: ReportedEvent) -> list[str]:
    wrong = []
    if told.type != OURS[str(event["type"])]:
        wrong.append(f"type {told.type}, not {event['type']}")
    if told.recipient != (event["recipient"] or ""):
        wrong.append(f"recipient {told.recipient}, not {event['recipient']}")
    if event["mta"] and str(event["mta"]).strip() != told.text:
        wrong.append(f"text {told.text!r}, not {event['mta']!r}")
    at = str(event["timestamp"])
    if at != "None" and abs((datetime.fromisoformat(at) - told.at).total_seconds()) >= 1:
        wrong.append(f"time {told.at}, not {at}")
    named = {told.message_id, told.provider_id, told.message_id.strip("<>")}
    # SendGrid's ids in this set are metadata of the program it was taken from.
    if event["message_id"] and event["esp"] != "SendGrid" and str(event["message_id"]) not in named:
        wrong.append(f"message {named}, not {event['message_id']}")
    return wrong
