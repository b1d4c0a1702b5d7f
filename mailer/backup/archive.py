"""The file: a tar of a manifest, the database as SQLite, and the keys."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from mailer import __version__
from subscribers.errors import UsersMistake

FORMAT = 1
MANIFEST, DATABASE, KEYS = "manifest.json", "pressrun.db", "pressrun.keys"
_BLOCK = 1 << 20
#: A manifest is small; a file that claims otherwise is none of ours.
_MANIFEST_MOST = 1_000_000


class BackupInvalid(UsersMistake):
    """This is no backup of Pressrun, or it is damaged."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup is: when it was made and by whom, and how to see that it is whole."""

    format: int
    version: str
    made_at: datetime
    step: str
    rows: dict[str, int]
    sha256: str
    with_keys: bool

    def to_json(self) -> bytes:
        """As it stands in the file."""
        told = asdict(self) | {"made_at": self.made_at.isoformat()}
        return json.dumps(told, indent=2).encode() + b"\n"


def write(
    file: Path,
    database: Path,
    keys: str | None,
    *,
    made_at: datetime,
    step: str,
    rows: dict[str, int],
) -> Manifest:
    """Write a backup, whole or not at all; raises UsersMistake where it can't be written."""
    manifest = Manifest(
        format=FORMAT,
        version=__version__,
        made_at=made_at,
        step=step,
        rows=rows,
        sha256=_sha256(database),
        with_keys=keys is not None,
    )
    part = file.with_name(f".{file.name}.part")
    try:
        with (
            os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target,
            tarfile.open(fileobj=target, mode="w:gz", compresslevel=4) as tar,
        ):
            _add(tar, MANIFEST, manifest.to_json(), made_at)
            if keys is not None:
                _add(tar, KEYS, keys.encode(), made_at)
            tar.add(database, DATABASE)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        # Not `replace`: somebody's older backup may have come there meanwhile.
        os.link(part, file)
    except FileExistsError as exc:
        raise UsersMistake(f"{file} is there already; choose another name") from exc
    except OSError as exc:
        raise UsersMistake(f"{file} can't be written: {exc.strerror}") from exc
    finally:
        part.unlink(missing_ok=True)
    return manifest


@contextmanager
def opened(file: Path) -> Iterator[tuple[Manifest, tarfile.TarFile]]:
    """A backup's manifest and what else is in it; raises BackupInvalid."""
    try:
        with tarfile.open(file, "r:gz") as tar:
            yield _manifest(file, tar), tar
    except FileNotFoundError as exc:
        raise BackupInvalid(f"{file}: there is no such file") from exc
    except (tarfile.TarError, zlib.error, EOFError, OSError) as exc:
        raise BackupInvalid(f"{file}: no backup, or it is damaged: {exc}") from exc


def keys_of(tar: tarfile.TarFile) -> str | None:
    """The keys in a backup, if they are."""
    try:
        member = tar.extractfile(KEYS)
    except KeyError:
        return None
    return member.read(_MANIFEST_MOST).decode("utf-8") if member else None


def unpack_database(tar: tarfile.TarFile, manifest: Manifest, target: Path) -> None:
    """Write the database of a backup to a file; raises BackupInvalid where it is damaged."""
    try:
        member = tar.extractfile(DATABASE)
    except KeyError:
        member = None
    if member is None:
        raise BackupInvalid("the backup holds no database")
    digest = hashlib.sha256()
    with member, target.open("xb") as out:
        while block := member.read(_BLOCK):
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != manifest.sha256:
        raise BackupInvalid("the database in the backup is damaged; take an older backup")


def _manifest(file: Path, tar: tarfile.TarFile) -> Manifest:
    try:
        member = tar.extractfile(MANIFEST)
        assert member is not None
        told = json.loads(member.read(_MANIFEST_MOST))
        told["made_at"] = datetime.fromisoformat(told["made_at"])
        manifest = Manifest(**told)
    except (KeyError, TypeError, ValueError, AssertionError) as exc:
        raise BackupInvalid(f"{file}: no backup of Pressrun") from exc
    if manifest.format != FORMAT:
        raise BackupInvalid(f"{file}: made by a newer Pressrun ({manifest.version}); upgrade")
    return manifest


def _add(tar: tarfile.TarFile, name: str, content: bytes, at: datetime) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(at.timestamp())
    tar.addfile(member, io.BytesIO(content))


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
