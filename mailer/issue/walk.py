"""Every node of an issue, in the order of its text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator


def walk(node: object) -> Iterator[object]:
    """A node of an issue and every node below it."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, tuple):
            waiting.extend(reversed(here))
        elif dataclasses.is_dataclass(here):
            yield here
            below = [getattr(here, each.name) for each in dataclasses.fields(here)]
            waiting.extend(reversed(below))
