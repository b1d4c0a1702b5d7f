"""Delivery status fields (RFC 3464), also where they lie about in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: Fields that say something of one recipient.
_RECIPIENT_FIELDS = frozenset(
    {
        "final-recipient",
        "original-recipient",
        "x-actual-recipient",
        "action",
        "status",
        "remote-mta",
        "diagnostic-code",
        "x-powermta-bouncecategory",
    }
)
_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{2,40})\s{0,4}:\s*(.*)")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_ADDRESS = re.compile(r"[^\s<>;\"]{1,256}@[^\s<>;\"]{1,255}")
MOST_RECIPIENTS = 500


@dataclass(frozen=True, kw_only=True)
class StatusFields:
    """One recipient's group of fields; empty where one is missing."""

    final: str = ""
    original: str = ""
    action: str = ""
    status: str = ""
    remote_mta: str = ""
    diagnostic: str = ""
    diagnostic_type: str = ""
    category: str = ""


@dataclass(kw_only=True)
class _Group:
    fields: dict[str, str] = field(default_factory=dict)

    def closes_before(self, name: str) -> bool:
        """Whether a field can't belong to this group: it is there, or the next one starts."""
        if name in self.fields:
            return not (name == "status" and not self.fields[name])
        return name == "final-recipient" and {"action", "diagnostic-code"} <= set(self.fields)


def status_fields(text: str) -> tuple[StatusFields, ...]:
    """Every recipient's fields in a text, whether or not blank lines stand between them."""
    groups: list[_Group] = []
    current = _Group()
    for name, value in _fields(text):
        if not name:
            if _is_whole(current):
                groups.append(current)
                current = _Group()
        elif name in _RECIPIENT_FIELDS:
            if current.closes_before(name):
                groups.append(current)
                current = _Group()
            current.fields[name] = value
        if len(groups) >= MOST_RECIPIENTS:
            break
    groups.append(current)
    read = [_read(group.fields) for group in groups if group.fields]
    return tuple(fields for fields in read if fields.final or fields.original)


def _is_whole(group: _Group) -> bool:
    named = "final-recipient" in group.fields or "original-recipient" in group.fields
    return named and ("action" in group.fields or "status" in group.fields)


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Names (lower-case) and unfolded values; an empty name is a blank line."""
    name, value = "", ""
    for raw in text.split("\n"):
        line = raw.removeprefix("> ")
        found = None if line[:1] in (" ", "\t") and name else _FIELD.match(line.strip())
        if found:
            if name:
                yield name, value
            name, value = found[1].lower(), found[2].strip()
        elif line.strip() and name:
            value = f"{value} {line.strip()}" if len(value) < 4_000 else value
        else:
            if name:
                yield name, value
            name = ""
            yield "", ""
    if name:
        yield name, value


def _read(fields: dict[str, str]) -> StatusFields:
    kind, diagnostic = _typed(fields.get("diagnostic-code", ""))
    status = _STATUS.search(fields.get("status", ""))
    action = fields.get("action", "").strip().lower()
    return StatusFields(
        final=address_in(fields.get("final-recipient", "")),
        original=address_in(fields.get("original-recipient", "")),
        action=action.split()[0].strip(";,.") if action else "",
        status=status[0] if status else "",
        remote_mta=_typed(fields.get("remote-mta", ""))[1].split(" ")[0].strip("[]."),
        diagnostic=diagnostic,
        diagnostic_type=kind,
        category=fields.get("x-powermta-bouncecategory", "").strip().lower(),
    )


def _typed(value: str) -> tuple[str, str]:
    """A value's type (`smtp`, `dns`, `x-unix`) and the value itself (RFC 3464, 2.1.2)."""
    kind, mark, rest = value.partition(";")
    if mark and re.fullmatch(r"[\w-]{1,30}", kind.strip()):
        return kind.strip().lower(), rest.strip()
    return "", value.strip()


def address_in(value: str) -> str:
    """The address of a typed field (`rfc822; reader@example.org`), or empty."""
    kind, rest = _typed(value)
    known = ("rfc822", "utf-8", "smtp", "dns", "x400", "lmtp", "local")
    if kind and kind not in known and not kind.startswith("x-"):
        return ""
    found = _ADDRESS.search(rest[:1_000])
    return found[0].strip("'.,") if found else ""
