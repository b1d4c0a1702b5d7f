"""The generic webhook: a documented JSON for mail servers and scripts; see docs/webhooks.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from mailer.diagnosis import diagnose, enhanced_code
from mailer.webhooks.model import Report, ReportedEvent, WebhookUnreadable
from mailer.webhooks.payload import UNFIT, read_json
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

MAX_EVENTS = 1_000

_TYPES: Mapping[str, EventType] = {
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "bounced": EventType.BOUNCED,
    "complained": EventType.COMPLAINED,
    "unsubscribed": EventType.UNSUBSCRIBED,
}
_FIELDS: Mapping[str, int] = {  # text fields and the most characters of each
    "id": 200,
    "type": 32,
    "at": 64,
    "recipient": 320,
    "reason": 32,
    "delivery": 320,
    "message_id": 998,
    "provider_id": 255,
    "text": 4_000,
}
_REQUIRED = ("id", "type", "at")

#: The first SMTP code in what a server said.
_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")


class _Mistake(Exception):
    """One event that can't be understood; the message says why."""


def parse(body: bytes) -> Report:
    """Read one event or a list of up to 1,000.

    An event with a mistake is named in `mistakes` and does not hold up the others. Raises
    WebhookUnreadable, in words, where the body is no JSON or neither event nor list.
    """
    listed = _listed(read_json(body))
    events: list[ReportedEvent] = []
    mistakes: list[str] = []
    for number, item in enumerate(listed, start=1):
        try:
            events.append(_event(item))
        except _Mistake as mistake:
            mistakes.append(f"event {number}: {mistake}")
    return Report(events=tuple(events), mistakes=tuple(mistakes))


def _listed(parsed: object) -> list[object]:
    if isinstance(parsed, dict):
        return [parsed]
    if not isinstance(parsed, list):
        raise WebhookUnreadable("neither an event (an object) nor a list of events")
    if len(parsed) > MAX_EVENTS:
        raise WebhookUnreadable(f"{len(parsed)} events; send at most {MAX_EVENTS} at once")
    return parsed


def _event(item: object) -> ReportedEvent:
    if not isinstance(item, dict):
        raise _Mistake("not an object")
    texts = {name: _text(item, name, most) for name, most in _FIELDS.items()}
    for name in _REQUIRED:
        if not texts[name]:
            raise _Mistake(f"{name} is missing")
    _check_names_something(texts)
    kind = _type(texts["type"])
    hardness = _hardness(item, kind)
    return ReportedEvent(
        id=texts["id"],
        type=kind,
        at=_moment(texts["at"]),
        recipient=texts["recipient"],
        hardness=hardness,
        reason=_reason(texts["reason"], texts["text"], hardness),
        token=texts["delivery"],
        message_id=texts["message_id"],
        provider_id=texts["provider_id"],
        text=texts["text"],
    )


def _text(item: Mapping[str, object], name: str, most: int) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Mistake(f"{name} must be text")
    if name == "text":  # other people's words: take what is fit to keep
        return UNFIT.sub("", value)[:most]
    if len(value) > most:
        raise _Mistake(f"{name} is longer than {most} characters")
    if UNFIT.search(value):
        raise _Mistake(f"{name} holds a control character")
    return value.strip()


def _check_names_something(texts: Mapping[str, str]) -> None:
    if texts["delivery"]:
        return
    if not (texts["message_id"] or texts["provider_id"]):
        raise _Mistake("names no message: give delivery, message_id or provider_id")
    if not texts["recipient"]:
        raise _Mistake("recipient is missing, without which message_id and provider_id won't do")


def _type(text: str) -> EventType:
    if text not in _TYPES:
        raise _Mistake(f"type must be one of {', '.join(_TYPES)}")
    return _TYPES[text]


def _hardness(item: Mapping[str, object], kind: EventType) -> Hardness | None:
    hard = item.get("hard")
    if kind is not EventType.BOUNCED:
        return None
    if not isinstance(hard, bool):
        raise _Mistake("hard must be true or false where the type is bounced")
    return Hardness.HARD if hard else Hardness.SOFT


def _reason(name: str, said: str, hardness: Hardness | None) -> Reason:
    if name:
        try:
            return Reason(name)
        except ValueError:
            raise _Mistake(f"reason must be one of {', '.join(Reason)}") from None
    if hardness is None:
        return Reason.UNKNOWN
    code = _CODE.search(said)
    words = said[code.end() :] if code else said
    reason = diagnose(int(code[1]) if code else 0, enhanced_code(words), words).reason
    if reason is Reason.UNKNOWN and hardness is Hardness.HARD:
        # By its definition here, hard says that no copy will ever arrive at this address.
        return Reason.NO_SUCH_USER
    return reason


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise _Mistake("at has no time zone; write it like 2026-12-01T09:00:00Z")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Mistake("at is no time; write it like 2026-12-01T09:00:00Z") from None
