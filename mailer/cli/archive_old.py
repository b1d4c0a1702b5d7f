"""Finds issues of earlier days in files, folders and .zip files."""

from __future__ import annotations

import csv
import json
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from mailer.campaign.freeze import freeze
from mailer.campaign.published.foreign import MAX_CHARACTERS, read_page, revue_content, wrap
from mailer.errors import IssueInvalid
from mailer.render.images import LocalImage
from mailer.render.model import Rendering
from subscribers.errors import UsersMistake
from subscribers.model import Newsletter

#: More than any newsletter wrote; a .zip that unpacks to more is a trap.
_MOST_FILES = 20_000
_MOST_BYTES = 2_000_000_000
_PAGES = frozenset({".html", ".htm"})


@dataclass(frozen=True, kw_only=True)
class OldIssue:
    """An issue that went out elsewhere, rendered; `at` is when, if it says so."""

    rendering: Rendering
    number: int | None
    at: datetime | None
    images: tuple[LocalImage, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Old:
    """A file, or a row of an export, with one issue; `read` may raise IssueInvalid."""

    path: str
    read: Callable[[Newsletter, str], OldIssue]

    def understand(self, newsletter: Newsletter, *, public_url: str) -> OldIssue:
        """The issue; raises IssueInvalid or RenderingFailed."""
        return self.read(newsletter, public_url)


def read_old(paths: Iterable[Path]) -> Iterator[Old]:
    """Every issue in these files, folders and .zip files, in the order of their names.

    Raises UsersMistake where there is no such file, or a .zip is none.
    """
    for path in paths:
        if path.suffix.lower() == ".zip":
            with tempfile.TemporaryDirectory(prefix="pressrun-old-") as folder:
                _unpack(path, Path(folder))
                yield from _in_folder(Path(folder), shown=str(path))
        elif path.is_dir():
            yield from _in_folder(path, shown=str(path))
        elif path.is_file():
            yield from _in_file(path, shown=str(path))
        else:
            raise UsersMistake(f"{path}: there is no such file")


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.infolist()
            total = sum(each.file_size for each in inside)
            if len(inside) > _MOST_FILES or total > _MOST_BYTES:
                raise UsersMistake(f"{path}: far more in it than a newsletter wrote")
            archive.extractall(folder)  # keeps to the folder, whatever the names say
    except (OSError, zipfile.BadZipFile, RuntimeError, ValueError, EOFError) as exc:
        raise UsersMistake(f"{path}: this .zip can't be read; export it once more") from exc


def _in_folder(folder: Path, *, shown: str) -> Iterator[Old]:
    revue = sorted(folder.rglob("issues*.csv"))
    if revue:
        for file in revue:
            yield from _revue(file, shown=f"{shown}/{file.name}")
        return
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        yield from _in_file(file, shown=f"{shown}/{file.relative_to(folder)}")


def _in_file(file: Path, *, shown: str) -> Iterator[Old]:
    suffix = file.suffix.lower()
    if suffix == ".md":
        yield Old(path=shown, read=lambda newsletter, url: _markdown(file, newsletter, url))
    elif suffix in _PAGES:
        yield Old(path=shown, read=lambda newsletter, _url: _page(file, newsletter))


def _markdown(file: Path, newsletter: Newsletter, public_url: str) -> OldIssue:
    frozen = freeze(file, newsletter, public_url=public_url)
    front = frozen.issue.front
    return OldIssue(
        rendering=frozen.rendering,
        number=front.number,
        at=_noon(front.date),
        images=frozen.images,
    )


def _page(file: Path, newsletter: Newsletter) -> OldIssue:
    found = read_page(_text(file), name=file.stem, language=newsletter.language)
    return OldIssue(rendering=found.rendering, number=found.number, at=_noon(found.day))


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8-sig") as source:
            return source.read(MAX_CHARACTERS + 1)
    except UnicodeDecodeError as exc:
        raise IssueInvalid(f"{file.name}: this is no UTF-8 text; save it as UTF-8") from exc
    except OSError as exc:
        raise IssueInvalid(f"{file.name}: {exc.strerror}") from exc


def _noon(day: date | None) -> datetime | None:
    """Noon in UTC, which is the same day nearly everywhere."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC) if day else None


# --- Revue: issues*.csv, and items*.json beside it ----------------------------------------------


def _revue(file: Path, *, shown: str) -> Iterator[Old]:
    items = _revue_items(file)
    csv.field_size_limit(MAX_CHARACTERS)
    try:
        rows = list(csv.DictReader(_text(file).splitlines(keepends=True)))
    except csv.Error as exc:
        raise UsersMistake(f"{shown}: this is no CSV: {exc}") from exc
    for line, row in enumerate(rows, start=1):
        if row.get("sent_at"):  # the others are drafts
            yield Old(path=f"{shown}#{row.get('id') or line}", read=_revue_reader(row, items))


def _revue_reader(
    row: Mapping[str, str], items: Mapping[str, list[Mapping[str, object]]]
) -> Callable[[Newsletter, str], OldIssue]:
    def read(newsletter: Newsletter, _public_url: str) -> OldIssue:
        content = revue_content(row, items.get(str(row.get("id")), []))
        title = " ".join((row.get("subject") or "").split()) or "Untitled"
        rendering = wrap(title, content, lang=newsletter.language)
        number = row.get("number") or ""
        return OldIssue(
            rendering=rendering,
            number=int(number) if number.isdecimal() else None,
            at=_revue_time(row["sent_at"]),
        )

    return read


def _revue_time(text: str) -> datetime | None:
    try:
        told = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _revue_items(file: Path) -> Mapping[str, list[Mapping[str, object]]]:
    found: dict[str, list[Mapping[str, object]]] = defaultdict(list)
    for beside in sorted(file.parent.glob("items*.json")):
        try:
            listed = json.loads(_text(beside))
        except ValueError as exc:
            raise UsersMistake(f"{beside.name}: this is no JSON: {exc}") from exc
        for item in listed if isinstance(listed, list) else []:
            if isinstance(item, dict):
                found[str(item.get("issue_id"))].append(item)
    return found
