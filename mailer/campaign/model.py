"""A campaign: a rendering frozen, with an audience and a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from subscribers.model import Tracking


class CampaignKind(StrEnum):
    """What a campaign carries."""

    #: An issue for a newsletter's subscribers.
    ISSUE = "issue"
    #: An issue for one address that somebody typed, to look at.
    TEST = "test"
    #: The service's own mail: confirmation, welcome, goodbye, alarms.
    NOTICE = "notice"


class CampaignState(StrEnum):
    """Where a campaign stands; the transitions are one table in `lifecycle`."""

    #: Waits for its time.
    SCHEDULED = "scheduled"
    #: Its audience is being written into the ledger.
    PLANNING = "planning"
    #: Workers hand out copies.
    SENDING = "sending"
    #: Held by a person or by a rule; `pause_reason` says why.
    PAUSED = "paused"
    #: Every copy has a final state.
    FINISHED = "finished"
    #: Stopped for good; copies that had not left never will.
    CANCELLED = "cancelled"


class OwnerKnows(StrEnum):
    """What the owner of an issue was told of its course, each once."""

    #: Nothing yet.
    NOTHING = "nothing"
    #: That it has started.
    START = "start"
    #: That it has ended, and how.
    END = "end"


@dataclass(frozen=True, kw_only=True)
class Canary:
    """So many copies go first; then the campaign waits, and goes on if the figures are fine."""

    size: int
    hold: timedelta


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One campaign's row; all times are aware UTC.

    `edition` is 0 the first time an issue goes out, and counts up with each `--again`.
    `alive_at` was touched while something was still driving the campaign: one that fell
    silent longer than `late_after` is paused instead of going on by itself. With a canary,
    `canary_size` copies go first and the rest waits for `canary_hold` seconds from `canary_at`,
    then `wave` counts up. `corrects` is the campaign whose recipients alone get this one.
    `local_at` is what each person's own clock shows when they get it, without a zone: then
    `timezone` is only for those whose own is not known, and `due_at` is the first such moment.
    `archived_at`: since then its ledger is rolled up into sums. `tracking` says what is counted
    of its opens and clicks. `also` are the further newsletters whose readers get it, in order:
    each person once, by the consent they gave to the first of all of them.
    """

    id: int
    kind: CampaignKind
    newsletter_id: int
    issue_number: int | None
    edition: int
    checksum: str
    subject: str
    state: CampaignState
    due_at: datetime
    timezone: str
    created_at: datetime
    snapshot_at: datetime | None
    planned_at: datetime | None
    finished_at: datetime | None
    alive_at: datetime
    pause_reason: str | None
    audience: int
    segment: str | None
    canary_size: int | None = None
    canary_hold: int | None = None
    canary_at: datetime | None = None
    wave: int = 0
    corrects: int | None = None
    archived_at: datetime | None = None
    tracking: Tracking = Tracking.OFF
    local_at: str | None = None
    also: tuple[int, ...] = ()

    @property
    def newsletter_ids(self) -> tuple[int, ...]:
        """All newsletters whose readers get it: its own first."""
        return (self.newsletter_id, *self.also)
