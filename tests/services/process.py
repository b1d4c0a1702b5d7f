"""Starting a server as a child that never outlives us, and waiting until it answers."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class ServiceMissing(Exception):
    """A server that this system can't run; the message says why and what would mend it."""


def free_port() -> int:
    """A loopback TCP port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    user: str | None = None,
    last: str = "KILL",
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server as `user`, its output in `log`; on Linux it gets `last` when we die."""
    command = [*leash(user, last=last), *map(str, arguments)]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )


def run_as(user: str | None, arguments: Sequence[str | Path], *, cwd: Path) -> None:
    """Run a program to its end; raises ServiceMissing with its last words where it fails."""
    done = subprocess.run(
        [*leash(user), *map(str, arguments)], cwd=cwd, capture_output=True, check=False
    )
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["no words"]
        raise ServiceMissing(f"{arguments[0]} failed: {words[-1]}")


def wait_for_port(
    port: int, process: subprocess.Popen[bytes], log: Path, *, seconds: float = 30
) -> None:
    """Return once something accepts on the port; raises ServiceMissing where nothing does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    stop(process)
    words = log.read_text(errors="replace").strip().splitlines() or ["no words"]
    raise ServiceMissing(f"{process.args!r} did not come up: {words[-1]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt it, and kill it if that is not enough within 10 s."""
    if process.poll() is None:
        # SIGINT: PostgreSQL's fast shutdown; the others take it as a plain end.
        process.send_signal(2)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def leash(user: str | None = None, *, last: str = "KILL") -> list[str]:
    """What to start a command with: setpriv drops root's rights and ties its life to ours.

    On other systems than Linux it is empty: there a killed test run may leave servers behind.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return []
    rights = (
        [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
        if user
        else []
    )
    return [setpriv, *rights, "--pdeathsig", last]
