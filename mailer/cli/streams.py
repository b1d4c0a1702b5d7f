"""Standard input, output and error, as they may be found: closed, or in a narrow encoding."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path


def prepare() -> None:
    """Make all three usable; a letter that the terminal can't show becomes a question mark.

    A process that was started with one of them closed has None there, which each question or
    line would stumble over; and the next file to be opened would get its number.
    """
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)
    # Standard error escapes such letters by itself.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
