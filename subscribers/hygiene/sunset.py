"""Who has stopped reading, as a segment like any other: pure."""

from __future__ import annotations

from datetime import timedelta

from subscribers.segment.model import FIELDS, Both, Either, Not, Present, Recent


def silent(after: timedelta) -> Both:
    """People who joined before a span of time and neither opened nor clicked within it."""
    joined, opened, clicked = (FIELDS[name] for name in ("joined", "opened", "clicked"))
    return Both(
        parts=tuple(
            Not(part=Recent(field=field, span=after)) for field in (joined, opened, clicked)
        )
    )


def looked() -> Either:
    """People who ever opened or clicked: where there are none, nobody keeps count of looks."""
    return Either(parts=tuple(Present(field=FIELDS[name]) for name in ("opened", "clicked")))
