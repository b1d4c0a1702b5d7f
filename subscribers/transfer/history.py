"""When and how somebody came and left elsewhere, as records of consent: pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from datetime import datetime

from subscribers.model import Status
from subscribers.transfer.header import Columns
from subscribers.transfer.model import Agreed, Entry, RowRefused
from subscribers.transfer.moment import read_moment

_ACTIONS = frozenset({"given", "imported", "requested", "confirmed", "withdrawn", "lifted"})
#: Who has left by their own word: a bounce withdraws nothing.
_WITHDREW = frozenset({Status.UNSUBSCRIBED, Status.COMPLAINED})
_MAX_SOURCE = 64
_MAX_RECORDS = 1000


def moment(text: str) -> datetime:
    """A point in time; raises RowRefused."""
    found = read_moment(text)
    if found is None:
        raise RowRefused(f"has a date {text!r:.40}; write it like 2026-01-31")
    return found


def with_history(entry: Entry, told: Mapping[str, str], columns: Columns) -> Entry:
    """The entry with what was agreed to elsewhere, and when; raises RowRefused.

    Who has a time of leaving has left, unless they are said to have bounced or complained.
    """
    requested, confirmed, left = (_moment(told, name) for name in _TIMES)
    status = entry.status
    if left and status in (None, Status.ACTIVE, Status.PENDING):
        status = Status.UNSUBSCRIBED
    joined = entry.joined_at or requested or confirmed
    if columns.profile and columns.profile.whole:
        history = _own(told.get("consents", ""))
        return entry._replace(status=status, left_at=left, history=history, whole=bool(history))
    service = {"from": columns.profile.name} if columns.profile else {}
    if columns.profile and not confirmed:
        # When somebody came there is the best to know of when they agreed.
        requested = joined
    history = _came(requested, confirmed, told, service)
    if left and status in _WITHDREW:
        why = {"reason": reason} if (reason := told.get("left_reason")) else {}
        history = (*history, Agreed(action="withdrawn", at=left, evidence=why | service))
    history = tuple(sorted(history, key=lambda one: one.at))
    return entry._replace(status=status, joined_at=joined, left_at=left, history=history)


_TIMES = ("requested_at", "confirmed_at", "left_at")


def _moment(told: Mapping[str, str], name: str) -> datetime | None:
    return moment(text) if (text := told.get(name)) else None


def _came(
    requested: datetime | None,
    confirmed: datetime | None,
    told: Mapping[str, str],
    service: dict[str, str],
) -> tuple[Agreed, ...]:
    """Asked and confirmed, or given at once where there was but one moment."""
    asked_from = _network(told.get("requested_network", ""))
    confirmed_from = _network(told.get("confirmed_network", ""))
    if requested and confirmed and requested != confirmed:
        return (
            Agreed(action="requested", at=requested, evidence=asked_from | service),
            Agreed(action="confirmed", at=confirmed, evidence=confirmed_from | service),
        )
    if at := requested or confirmed:
        network = asked_from or confirmed_from
        return (Agreed(action="given", at=at, evidence=network | service),)
    return ()


def _network(text: str) -> dict[str, str]:
    try:
        return {"network": str(ipaddress.ip_address(text))}
    except ValueError:
        return {}


def _own(text: str) -> tuple[Agreed, ...]:
    """The records that our own export wrote."""
    if not text:
        return ()
    try:
        records = json.loads(text)
        return tuple(_record(one) for one in records[:_MAX_RECORDS])
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise RowRefused("has consents that are not as an export writes them; mend them") from exc


def _record(told: Mapping[str, object]) -> Agreed:
    action, at, evidence = told["action"], read_moment(str(told["at"])), told["evidence"]
    source = str(told["source"])
    if action not in _ACTIONS or at is None or not isinstance(evidence, dict):
        raise ValueError(told)
    # Neither NUL nor half a character may reach the database: it could not be read again.
    written = json.dumps(evidence, ensure_ascii=False).encode()
    if not source.isprintable() or len(source) > _MAX_SOURCE or b"\\u0000" in written:
        raise ValueError(told)
    return Agreed(action=str(action), at=at, source=source, evidence=evidence)
