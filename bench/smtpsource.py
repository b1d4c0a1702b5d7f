"""Postfix's own client, in C: it writes one message of its own over and over."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from bench.model import Window


class Missing(Exception):
    """Postfix is not installed."""


def run(port: int, size: int, count: int) -> Window:
    """Run it, and ask the system what CPU it used; raises Missing."""
    program = shutil.which("smtp-source", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise Missing("smtp-source is missing; it comes with Postfix: apt-get install postfix")
    command = [program, "-d", "-s", "8", "-m", str(count), "-l", str(size), f"127.0.0.1:{port}"]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Missing(f"smtp-source failed with {process.returncode}")
    seconds = time.monotonic() - began
    return Window(messages=count, seconds=seconds, cpu=used.ru_utime + used.ru_stime)
