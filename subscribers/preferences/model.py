"""A person's own settings, as they may be typed into a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAX_NAME = 100


class Pause(StrEnum):
    """For how long no issues are wanted."""

    NONE = "none"
    TWO_WEEKS = "2w"
    ONE_MONTH = "1m"
    THREE_MONTHS = "3m"

    @property
    def span(self) -> timedelta:
        """How long that is."""
        return _SPANS[self]


_SPANS = {
    Pause.NONE: timedelta(0),
    Pause.TWO_WEEKS: timedelta(weeks=2),
    Pause.ONE_MONTH: timedelta(days=30),
    Pause.THREE_MONTHS: timedelta(days=90),
}


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """Name, language tag and IANA time zone; None: as the newsletter has it."""

    name: str = ""
    language: str | None = None
    timezone: str | None = None


def cleaned(preferences: Preferences) -> Preferences:
    """The same without what can't be: control characters, too long a name, unknown zones."""
    name = "".join(each for each in preferences.name if each.isprintable()).strip()
    return Preferences(
        name=name[:MAX_NAME],
        language=preferences.language or None,
        timezone=preferences.timezone if _is_zone(preferences.timezone) else None,
    )


def _is_zone(name: str | None) -> bool:
    if not name or len(name) > 64:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
