"""Points in time as people and services write them: pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# What Go and Rails print: 2023-05-02 10:11:12.123456 +0000 UTC, 2023-03-24 10:23:10 UTC.
_PRINTED = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?)(?:\.\d+)? ?([+-]\d\d:?\d\d)?(?: [A-Z]{1,5})?\Z"
)


def read_moment(text: str) -> datetime | None:
    """A date or a point in time, in UTC where no zone is named; None where it is neither."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        printed = _PRINTED.match(text)
        if printed is None:
            return None
        return read_moment(f"{printed[1]}{printed[2] or ''}")
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None
