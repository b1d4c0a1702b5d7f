"""A newsletter's people into a file: CSV safe to open in a spreadsheet, or JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TextIO

from sqlalchemy.orm import Session

from subscribers.attribute.model import text_of
from subscribers.model import Consent, Member, Status
from subscribers.queries import consents_of, members
from subscribers.transfer.model import Refused
from subscribers.transfer.spreadsheet import guard

_AT_ONCE = 1000
_COLUMNS = ("email", "name", "language", "timezone", "tags", "status", "joined_at", "left_at")


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
    """Everybody as one JSON object a line, without line ends, and what they agreed to."""
    everybody = members(session, newsletter_id, status=status)
    while some := [*islice(everybody, _AT_ONCE)]:
        agreed = consents_of(session, newsletter_id, [one.subscriber.id for one in some])
        for member in some:
            yield json.dumps(
                _told(member, agreed.get(member.subscriber.id, [])), ensure_ascii=False
            )


def _told(member: Member, agreed: list[Consent]) -> dict[str, object]:
    person = member.subscriber
    return {
        "email": person.address,
        "name": person.name,
        "language": person.language,
        "timezone": person.timezone,
        "tags": [*person.tags],
        "status": member.status,
        "joined_at": member.joined_at.isoformat(),
        "left_at": member.left_at.isoformat() if member.left_at else None,
        "attributes": dict(person.attributes),
        "consents": [
            {
                "action": one.action,
                "at": one.at.isoformat(),
                "source": one.source,
                "evidence": dict(one.evidence),
            }
            for one in agreed
        ],
    }


class RefusedFiles:
    """CSV files of refused rows with line and reason in front; mended, they can be imported.

    One for each table that has any: what comes from the second lies in `NAME-2.csv`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = ExitStack()
        self._files: dict[str, RefusedFile] = {}

    def __enter__(self) -> RefusedFiles:
        self._first = self._opened.enter_context(_created(self._path))
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def __call__(self, row: Refused) -> None:
        """Write one row."""
        if row.table not in self._files:
            file, number = self._first, len(self._files) + 1
            if number > 1:
                path = self._path.with_stem(f"{self._path.stem}-{number}")
                file = self._opened.enter_context(_created(path))
            self._files[row.table] = RefusedFile(file)
        self._files[row.table](row)


def _created(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="")


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
        guard(text_of(person.tags)),
        member.status,
        member.joined_at.isoformat(),
        member.left_at.isoformat() if member.left_at else "",
    ]
