"""An issue as the archive knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Published:
    """One issue in the archive; `campaign_id` holds what readers have now.

    `name` is its last part of the address: the issue's number, or `c` and the campaign's id
    where it has none. It stays the same when a correction goes out. `at` is when it first did.
    """

    campaign_id: int
    newsletter_id: int
    number: int | None
    name: str
    title: str
    at: datetime
    changed_at: datetime
