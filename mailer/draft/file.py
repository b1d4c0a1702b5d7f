"""An author's file, read to be changed: whole or not at all, and never over somebody's save."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from mailer.errors import IssueInvalid
from mailer.issue.parse import read

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class DraftFile:
    """A file as it was read; `source` is its text as the parser takes it, line ends as `\\n`."""

    path: Path
    content: bytes
    source: str

    @classmethod
    def open(cls, path: Path) -> DraftFile:
        """Read it; raises IssueInvalid as `mailer.issue.parse.read` does."""
        source = read(path)
        return cls(path=path, content=path.read_bytes(), source=source)

    @property
    def lines(self) -> list[str]:
        """Its lines with their own line ends; the numbers are those of `source`."""
        text = self.content.removeprefix(_BOM).decode("utf-8")
        return _split(text)

    def with_lines(self, lines: Sequence[str]) -> bytes:
        """The file with other lines, a byte order mark kept."""
        text = "".join(lines).encode("utf-8")
        return _BOM + text if self.content.startswith(_BOM) else text

    @property
    def line_end(self) -> str:
        """What its lines end with."""
        first = self.lines[0] if self.content else "\n"
        return first[len(first.rstrip("\r\n")) :] or "\n"

    def diff(self, content: bytes) -> str:
        """What would change, line by line."""
        before = self.source.split("\n")
        after = content.removeprefix(_BOM).decode("utf-8")
        changed = [line.rstrip("\r\n") for line in _split(after)] + [""]
        name = str(self.path)
        return "\n".join(unified_diff(before, changed, name, name, lineterm="", n=2))

    def save(self, content: bytes) -> None:
        """Put `content` in its place, whole or not at all; a symbolic link stays one.

        Raises IssueInvalid where the file was changed since it was read, or can't be written.
        """
        target = self.path.resolve()
        try:
            if target.read_bytes() != self.content:
                raise IssueInvalid(f"{self.path} was changed meanwhile; try again")
            replace_file(target, content)
        except OSError as exc:
            raise IssueInvalid(f"{self.path} can't be written: {exc.strerror}") from exc


def replace_file(target: Path, content: bytes) -> None:
    """Replace a file by one beside it, which is on disk before it takes its name."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as beside:
            beside.write(content)
            beside.flush()
            os.fsync(beside.fileno())
        shutil.copymode(target, name)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _split(text: str) -> list[str]:
    """Lines with their ends; unlike `splitlines` only at `\\n`, `\\r\\n` and `\\r`."""
    lines: list[str] = []
    start = 0
    while start < len(text):
        ends = [at for at in (text.find("\n", start), text.find("\r", start)) if at >= 0]
        if not ends:
            lines.append(text[start:])
            break
        end = min(ends) + 1
        if text[end - 1] == "\r" and text[end : end + 1] == "\n":
            end += 1
        lines.append(text[start:end])
        start = end
    return lines
