"""What MkDocs asks of us: the navigation follows the pages that there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
TUTORIAL = "tutorial.md"


def on_config(config: Any) -> Any:
    """Put the tutorial after the front page where there is one, and what nobody named last."""
    nav = config["nav"]
    if (DOCS / TUTORIAL).exists():
        nav.insert(1, {"Tutorial": TUTORIAL})
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    if others := sorted(there - {*named(nav)}):
        nav.append({"More": others})
    return config


def named(nav: Any) -> Iterator[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        yield nav
        return
    for each in nav.values() if isinstance(nav, dict) else nav:
        yield from named(each)
