"""The demo's folder: what lies where, and one demo at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mailer.settings import CONFIG_FILE, Settings, load
from subscribers.errors import UsersMistake
from subscribers.token import Keyring

#: Marks a folder as a demo's, and is locked while one works there.
MARK = "demo.lock"

_SETTINGS = """\
# The demo's settings, written anew by each run; `mailer init` writes your own.
database_url = "sqlite:///pressrun.db"
keys_file = "pressrun.keys"
public_url = "http://127.0.0.1:{web_port}"

[web]
port = {web_port}
generic_secret_file = "webhook.secret"

[relay]
host = "127.0.0.1"
port = {relay_port}

[sending]
# So that the demo need not wait a minute for what is tried again.
retry_first = 2.0
retry_most = 5.0
poll_seconds = 0.5
clock_seconds = 0.5
"""


class DemoFolderTaken(UsersMistake):
    """Another demo works in this folder."""


@dataclass(frozen=True, kw_only=True)
class DemoFolder:
    """Where the demo's things lie; `lock` is the open file that says it is ours."""

    path: Path
    lock: int

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "pressrun.db"

    @property
    def settings(self) -> Path:
        """The demo's pressrun.toml."""
        return self.path / CONFIG_FILE

    @property
    def keys(self) -> Path:
        """The installation's keys."""
        return self.path / "pressrun.keys"

    @property
    def secret(self) -> Path:
        """The secret that webhooks are signed with."""
        return self.path / "webhook.secret"

    @property
    def people(self) -> Path:
        """The sample subscribers."""
        return self.path / "subscribers.csv"

    @property
    def refused(self) -> Path:
        """The rows that were not taken."""
        return self.path / "refused.csv"

    @property
    def issue(self) -> Path:
        """The sample issue."""
        return self.path / "issue.md"

    @property
    def rendered(self) -> Path:
        """The issue as HTML, filled in for somebody."""
        return self.path / "issue.html"

    @property
    def received(self) -> Path:
        """One message as it arrived."""
        return self.path / "received.eml"

    @property
    def maildir(self) -> Path:
        """Everything that arrived."""
        return self.path / "maildir"

    @property
    def log(self) -> Path:
        """What `mailer serve` said."""
        return self.path / "serve.log"

    def clear(self) -> None:
        """Remove what a demo left here, and nothing else."""
        # The database first: without it nothing else counts, wherever this is cut off.
        for suffix in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        for file in (
            self.settings,
            self.keys,
            self.secret,
            self.people,
            self.refused,
            self.issue,
            self.rendered,
            self.received,
            self.log,
        ):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.maildir, ignore_errors=True)

    def write_settings(self, *, relay_port: int) -> Settings:
        """Write the settings, and the secrets that are not there yet, and read them."""
        if not self.keys.exists():
            write_secret(self.keys, Keyring.generate().to_text())
        if not self.secret.exists():
            write_secret(self.secret, "whsec_" + b64encode(secrets.token_bytes(32)).decode())
        text = _SETTINGS.format(web_port=self._web_port(), relay_port=relay_port)
        self.settings.write_text(text, encoding="utf-8")
        return load(self.settings)

    def _web_port(self) -> int:
        """The port of the last run, so that links in what has arrived still lead here."""
        before = load(self.settings).web.port if self.settings.exists() else 0
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", before))
            except OSError:
                listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
            return port


def write_secret(file: Path, text: str) -> None:
    """Write a new file that only its owner may read; whole or not at all."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    draft.rename(file)


@contextmanager
def claimed(path: Path) -> Iterator[DemoFolder]:
    """Make the folder, or take one that a demo made, for as long as this lasts.

    The lock goes on to child processes with its file descriptor: it holds until the last of
    them is gone. Raises DemoFolderTaken.
    """
    mark = path / MARK
    if path.exists() and not mark.exists() and not _is_empty(path):
        raise DemoFolderTaken(
            f"{path}: this is not empty and no demo's folder; choose another with --dir"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(mark, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise DemoFolderTaken(f"{path}: can't be written ({exc.strerror}); use --dir") from exc
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DemoFolderTaken(
                f"{path}: another demo works here (processes {_who(mark)}); end it first,"
                " or choose another folder with --dir"
            ) from exc
        os.truncate(lock, 0)
        note(lock, os.getpid())
        yield DemoFolder(path=path, lock=lock)
    finally:
        os.close(lock)


def note(lock: int, pid: int) -> None:
    """Write down who works here, for whoever finds the folder taken."""
    os.lseek(lock, 0, os.SEEK_END)
    os.write(lock, f"{pid}\n".encode())


def _who(mark: Path) -> str:
    return ", ".join(mark.read_text(encoding="utf-8").split())


def _is_empty(path: Path) -> bool:
    try:
        return path.is_dir() and not any(path.iterdir())
    except OSError:
        return False
