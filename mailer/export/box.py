"""Where an export lies: a folder, or a zip; both are made whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from mailer.export.manifest import ExportInvalid
from subscribers.errors import UsersMistake

#: A line is one row; nobody writes larger ones.
_LONGEST = 64 << 20
_SMALL = 16 << 20

Opener = Callable[[str], BinaryIO]


class Written:
    """A file as it is written: its lines and its checksum."""

    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()

    def write(self, file: BinaryIO, lines: Iterable[str]) -> None:
        """Write lines, one a row."""
        for line in lines:
            raw = line.encode() + b"\n"
            self._digest.update(raw)
            file.write(raw)
            self.rows += 1


@contextmanager
def writing(out: Path) -> Iterator[Opener]:
    """Files for an export; `out` is a zip where it is named so, else a folder.

    They are for their owner alone. Raises UsersMistake where `out` is there already or can't be
    written; what broke off leaves nothing.
    """
    if out.exists():
        raise UsersMistake(f"{out} is there already; choose another name")
    if not out.parent.is_dir():
        raise UsersMistake(f"{out}: there is no folder {out.parent}")
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        if out.suffix.lower() != ".zip":
            yield lambda name: _private(part / name)
            part.rename(out)
            return
        packed = part / "export.zip"
        with _private(packed) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            # The row's bytes are not known beforehand: they may be more than 4 GB.
            yield lambda name: cast(BinaryIO, archive.open(name, "w", force_zip64=True))
        # Not `replace`: another export may have come there meanwhile.
        os.link(packed, out)
    except FileExistsError as exc:
        raise UsersMistake(f"{out} is there already; choose another name") from exc
    except OSError as exc:
        raise UsersMistake(f"{out} can't be written: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextmanager
def reading(source: Path) -> Iterator[Opener]:
    """The files of an export; raises ExportInvalid where one is missing or broken."""
    if not source.exists():
        raise ExportInvalid(f"{source}: there is no such file or folder")
    try:
        if source.is_dir():
            yield lambda name: (source / name).open("rb")
            return
        with zipfile.ZipFile(source) as archive:
            yield lambda name: cast(BinaryIO, archive.open(name))
    except (FileNotFoundError, KeyError) as exc:
        raise ExportInvalid(f"{source}: no export of Pressrun, or a part is missing") from exc
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as exc:
        raise ExportInvalid(f"{source}: no export of Pressrun, or it is damaged: {exc}") from exc


def small(opener: Opener, name: str) -> str:
    """A whole small file."""
    with opener(name) as file:
        raw = file.read(_SMALL + 1)
    try:
        if len(raw) > _SMALL:
            raise ExportInvalid
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise ExportInvalid from exc


def lines(opener: Opener, name: str, *, rows: int, sha256: str) -> Iterator[bytes]:
    """A file's lines; raises ExportInvalid at their end where they are not what was written."""
    digest, count = hashlib.sha256(), 0
    with opener(name) as file:
        while line := file.readline(_LONGEST):
            digest.update(line)
            count += 1
            yield line
    if (count, digest.hexdigest()) != (rows, sha256):
        raise ExportInvalid(f"{name} is damaged: its lines are not those that were written")
