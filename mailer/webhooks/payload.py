"""What providers send is read with suspicion: any field may be missing, long, or of any type."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parseaddr

from mailer.webhooks.model import Received, Report, ReportedEvent, WebhookUnreadable
from subscribers.event import EventType

#: More than any provider sends in one request.
MAX_EVENTS = 10_000
MAX_ID = 200
MAX_TEXT = 4_000

#: What a database column of text can't hold, or should not.
UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
#: Seconds since 1970 are below this until the year 5138; above it they are milliseconds.
_MILLISECONDS = 1e11
#: The name of our token where a provider hands back headers, metadata or arguments.
_TOKEN_NAMES = frozenset({"x-pressrun-delivery", "pressrun-delivery"})
_RETURN_PATH = re.compile(r"<?(b-[a-z2-7]{20,60})@", re.IGNORECASE)


class Mistake(Exception):
    """One event that can't be understood; the message says why."""


class Passed(Exception):
    """One event that is understood and changes nothing; the message names it."""


def read_json(body: bytes | str) -> object:
    """Parse JSON; raises WebhookUnreadable, in words."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        parsed: object = json.loads(text)
    except UnicodeDecodeError as exc:
        raise WebhookUnreadable(f"not UTF-8 at byte {exc.start}") from exc
    except RecursionError as exc:
        raise WebhookUnreadable("nested too deep; an event is a flat object") from exc
    except ValueError as exc:
        raise WebhookUnreadable(f"not JSON: {exc}") from exc
    return parsed


def listed(parsed: object) -> list[object]:
    """One event or a list of them, as a list; raises WebhookUnreadable."""
    if isinstance(parsed, dict):
        return [parsed]
    if not isinstance(parsed, list):
        raise WebhookUnreadable("neither an event (an object) nor a list of events")
    if len(parsed) > MAX_EVENTS:
        raise WebhookUnreadable(f"{len(parsed)} events; at most {MAX_EVENTS} are read at once")
    return parsed


class Item:
    """A JSON object; what is missing or of another type reads as empty."""

    def __init__(self, value: object) -> None:
        self._value: Mapping[str, object] = value if isinstance(value, dict) else {}

    def raw(self, *path: str) -> object:
        """What stands at the end of a path of names, or None."""
        at: object = self._value
        for name in path:
            at = at.get(name) if isinstance(at, dict) else None
        return at

    def text(self, *path: str, most: int = MAX_TEXT) -> str:
        """Text or a number as text, cleared of what a database can't hold, and cut."""
        value = self.raw(*path)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return ""
        return UNFIT.sub("", str(value))[:most].strip()

    def first(self, *names: str) -> str:
        """The first of these fields that says something."""
        return next((text for name in names if (text := self.text(name))), "")

    def item(self, *path: str) -> Item:
        """The object at a path, or an empty one."""
        return Item(self.raw(*path))

    def items(self, *path: str) -> list[Item]:
        """The objects of a list at a path."""
        value = self.raw(*path)
        return [Item(one) for one in value] if isinstance(value, list) else []

    def number(self, *path: str) -> int:
        """A whole number, 0 where there is none."""
        text = self.text(*path, most=9)
        return int(text) if text.isascii() and text.isdigit() else 0

    def moment(self, *path: str) -> datetime | None:
        """A time: seconds or milliseconds since 1970, or ISO 8601, UTC where it names no zone."""
        return read_moment(self.text(*path, most=64))

    def address(self, *path: str) -> str:
        """A mail address, out of its name and angle brackets."""
        return read_address(self.text(*path, most=1_000))

    def digest(self) -> str:
        """An id for what has none: the same for the same content, in whatever order."""
        canonical = json.dumps(self._value, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:40]

    def id(self, *path: str) -> str:
        """The provider's id, or a digest where it gives none, or none that can be kept."""
        text = self.text(*path, most=MAX_ID + 1)
        return text if 0 < len(text) <= MAX_ID else self.digest()

    def token(self, *path: str) -> str:
        """Our delivery token among headers or metadata, which may be JSON in a string."""
        value = self.raw(*path)
        if isinstance(value, str):
            value = _json_or_none(value)
        for name, given in _pairs(value):
            # SES lists the values of a tag.
            told = given[0] if isinstance(given, list) and len(given) == 1 else given
            if name.lower().replace("_", "-") in _TOKEN_NAMES and isinstance(told, str):
                return UNFIT.sub("", told).strip()[:320]
        return ""

    def return_path(self, *path: str) -> str:
        """Our delivery token, where the envelope sender at a path is one of ours."""
        match = _RETURN_PATH.match(self.text(*path, most=320))
        return match[1].lower() if match else ""


def read_moment(text: str) -> datetime | None:
    """Read a time as providers write it; None where it is none."""
    try:
        if re.fullmatch(r"\d{1,16}(\.\d{1,12})?", text, re.ASCII):
            seconds = float(text)
            return datetime.fromtimestamp(
                seconds / 1000 if seconds >= _MILLISECONDS else seconds, UTC
            )
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_address(text: str) -> str:
    """Read a mail address out of its name and angle brackets; empty where there is none."""
    try:
        found = parseaddr(text)[1] or text
    except (ValueError, IndexError, RecursionError):
        found = text
    found = found.strip().strip("<>")
    return found if "@" in found and len(found) <= 320 else ""


def report(
    items: Iterable[object],
    read: Callable[[Item, Received], Iterable[ReportedEvent]],
    received: Received,
) -> Report:
    """Read each item of a batch; a mistake in one does not hold up the others."""
    events: list[ReportedEvent] = []
    mistakes: list[str] = []
    passed: list[str] = []
    for number, one in enumerate(items, start=1):
        try:
            if not isinstance(one, dict):
                raise Mistake("not an object")
            events.extend(list(read(Item(one), received)))
        except Passed as word:
            passed.append(str(word))
        except Mistake as mistake:
            mistakes.append(f"event {number}: {mistake}")
    return Report(events=tuple(events), mistakes=tuple(mistakes), passed=tuple(passed))


def unknown(kind: str) -> Mistake:
    """A kind of event that this adapter has never heard of."""
    return Mistake(f"nothing is known of {kind[:60]!r}" if kind else "its type is missing")


def kind_of(table: Mapping[str, EventType | None], name: str) -> EventType:
    """Our word for a provider's kind of event; None in the table means it changes nothing."""
    if name not in table:
        raise unknown(name)
    kind = table[name]
    if kind is None:
        raise Passed(name)
    return kind


def _json_or_none(text: str) -> object:
    try:
        return read_json(text)
    except WebhookUnreadable:
        return None


def _pairs(value: object) -> list[tuple[str, object]]:
    """Names and values of an object, of `[{name, value}]`, or of `[[name, value]]`."""
    if isinstance(value, dict):
        return [(str(name), given) for name, given in value.items()]
    pairs: list[tuple[str, object]] = []
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            pairs.append((str(one.get("name", one.get("Name", ""))), one.get("value", "")))
        elif isinstance(one, list) and len(one) == 2:
            pairs.append((str(one[0]), one[1]))
    return pairs


def header(value: object, name: str) -> str:
    """The value of a header in whatever shape a provider lists headers."""
    for given, text in _pairs(value):
        if given.lower() == name and isinstance(text, str):
            return UNFIT.sub("", text)[:998].strip()
    return ""
