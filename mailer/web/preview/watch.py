"""Which files an issue is made of, and whether one of them changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from mailer.render import theme as themes
from mailer.resources import templates

#: More files than any theme has; a folder of thousands shall not slow each look.
_MOST_FILES = 500


def version_of(files: Iterable[Path]) -> str:
    """A word that changes when a file is saved, appears or goes."""
    stamps = [f"{file}:{_stamp(file)}" for file in files]
    return hashlib.sha256("\n".join(stamps).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def theme_files() -> Iterator[Path]:
    """The files of every theme, ours and the user's own, and of what they share."""
    for root in (templates() / "issue", templates() / "blocks", themes.OWN):
        found = (path for path in sorted(root.rglob("*")) if path.is_file())
        yield from (path for path, _ in zip(found, range(_MOST_FILES), strict=False))
