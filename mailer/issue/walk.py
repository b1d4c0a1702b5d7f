"""Every node of an issue, in the order of its text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator


def walk(node: object) -> Iterator[object]:
    """A node of an issue and every node below it."""
    if isinstance(node, tuple):
        for child in node:
            yield from walk(child)
    elif dataclasses.is_dataclass(node):
        yield node
        for each in dataclasses.fields(node):
            yield from walk(getattr(node, each.name))
