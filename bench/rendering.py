"""A sample issue from its text to HTML and text, in processes that are warm."""

from __future__ import annotations

import time

from bench import content
from mailer.campaign.freeze import freeze
from mailer.resources import templates

#: Until templates are compiled, sheets are read and the child process runs.
_WARM = 3


def once(issue: str) -> tuple[float, int]:
    """Milliseconds by the clock, the fastest of ten, and the bytes of its HTML.

    The clock, for the work is done by two processes; the fastest, for others work on the machine.
    """
    path = templates() / "sample" / content.ISSUES[issue]
    took = []
    for _ in range(_WARM + 10):
        began = time.perf_counter()
        frozen = freeze(path, content.NEWSLETTER)
        took.append((time.perf_counter() - began) * 1000)
    return min(took[_WARM:]), len(frozen.rendering.html.encode())
