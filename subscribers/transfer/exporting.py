"""A newsletter's people into a file: CSV safe to open in a spreadsheet, or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TextIO

from sqlalchemy.orm import Session

from subscribers.attribute.model import text_of
from subscribers.model import Member, Status
from subscribers.queries import members
from subscribers.transfer.model import Refused
from subscribers.transfer.spreadsheet import guard

_COLUMNS = ("email", "name", "language", "timezone", "tags", "status", "joined_at")


def export_csv(
    session: Session, newsletter_id: int, file: TextIO, *, status: Status | None = None
) -> int:
    """Write everybody's row and give their number; an import of the file changes nothing.

    It reads the people twice: the columns must be known before the first row.
    """
    attributes: dict[str, None] = {}
    for member in members(session, newsletter_id, status=status):
        attributes |= dict.fromkeys(member.subscriber.attributes)
    names = sorted(attributes)
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow([*_COLUMNS, *map(guard, names)])
    count = 0
    for member in members(session, newsletter_id, status=status):
        told = member.subscriber.attributes
        rows.writerow([*_cells(member), *(guard(text_of(told.get(name))) for name in names)])
        count += 1
    return count


def export_json(
    session: Session, newsletter_id: int, *, status: Status | None = None
) -> Iterator[str]:
    """Everybody as one JSON object a line, without line ends."""
    for member in members(session, newsletter_id, status=status):
        person = member.subscriber
        yield json.dumps(
            {
                "email": person.address,
                "name": person.name,
                "language": person.language,
                "timezone": person.timezone,
                "tags": [*person.tags],
                "status": member.status,
                "joined_at": member.joined_at.isoformat(),
                "attributes": dict(person.attributes),
            },
            ensure_ascii=False,
        )


class RefusedFile:
    """A CSV of refused rows with line and reason in front; mended, it can be imported."""

    def __init__(self, file: TextIO) -> None:
        self._rows = csv.writer(file, lineterminator="\n")
        self._begun = False

    def __call__(self, row: Refused) -> None:
        """Write one row, the columns' names before the first."""
        if not self._begun:
            self._rows.writerow(["refused_line", "refused_reason", *map(guard, row.header)])
            self._begun = True
        self._rows.writerow([str(row.line), guard(row.reason), *map(guard, row.cells)])


def _cells(member: Member) -> list[str]:
    person = member.subscriber
    return [
        guard(person.address or ""),
        guard(person.name),
        person.language or "",
        person.timezone or "",
        guard("|".join(person.tags)),
        member.status,
        member.joined_at.isoformat(),
    ]
