"""A server that takes all mail as fast as it can; its CPU is nobody's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services import process, sink


@dataclass(frozen=True, kw_only=True)
class Sink:
    """Where it listens, and what it is."""

    port: int
    kind: str
    tls: str = "auto"


@contextmanager
def running(folder: Path) -> Iterator[Sink]:
    """Postfix's smtp-sink (C), or our own in Python where there is none."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        with sink.running(folder / "sink.jsonl") as (port, _):
            yield Sink(port=port, kind="the tests' sink (Python)")
        return
    port = process.free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    server = process.start(
        [program, *user, f"127.0.0.1:{port}", "512"], log=folder / "sink.log", last="TERM"
    )
    try:
        process.wait_for_port(port, server, folder / "sink.log")
        yield Sink(port=port, kind=f"smtp-sink of Postfix{_version()}")
    finally:
        process.stop(server)


def _version() -> str:
    postconf = shutil.which("postconf", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if postconf is None:
        return ""
    told = subprocess.run(
        [postconf, "-dh", "mail_version"], capture_output=True, text=True, check=False
    )
    return f" {told.stdout.strip()}".rstrip()
