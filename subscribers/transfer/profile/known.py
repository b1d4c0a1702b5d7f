"""All profiles, and which of them a header is of."""

from __future__ import annotations

from collections.abc import Collection

from subscribers.transfer.profile.beehiiv import BEEHIIV
from subscribers.transfer.profile.buttondown import BUTTONDOWN
from subscribers.transfer.profile.ghost import GHOST
from subscribers.transfer.profile.kit import KIT
from subscribers.transfer.profile.listmonk import LISTMONK
from subscribers.transfer.profile.mailchimp import MAILCHIMP
from subscribers.transfer.profile.model import Profile
from subscribers.transfer.profile.pressrun import PRESSRUN
from subscribers.transfer.profile.revue import REVUE
from subscribers.transfer.profile.substack import SUBSTACK

#: By the names that `--from` takes.
PROFILES = {
    one.name: one
    for one in (
        *(MAILCHIMP, SUBSTACK, GHOST, BUTTONDOWN, BEEHIIV, KIT, LISTMONK, REVUE),
        PRESSRUN,
    )
}


def detect(columns: Collection[str]) -> Profile | None:
    """The profile whose marks a header has, the one with the most where several fit."""
    there = frozenset(columns)
    fitting = [
        (len(marks), profile)
        for profile in PROFILES.values()
        for marks in profile.marks
        if marks <= there and (not profile.alone or there <= profile.columns.keys())
    ]
    return max(fitting, key=lambda found: found[0])[1] if fitting else None
