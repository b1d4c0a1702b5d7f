"""Who looked: a decision over all that was seen of one message, pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from mailer.feedback.track.model import Look, Looker, Rules
from mailer.render.track import HONEYPOT

RULES = Rules()


def judge(
    looks: Sequence[Look], *, accepted_at: datetime | None = None, rules: Rules = RULES
) -> list[Looker]:
    """Say of each look who it was, in their order.

    `looks` are those at one copy (or, where links name no copy, those of one visitor at one
    campaign) that are near each other in time; `accepted_at` is when the relay took the copy.
    """
    stepped = sorted(look.at for look in looks if look.link == HONEYPOT)
    hasty = _bursts([look for look in looks if look.link], rules)

    def who(look: Look) -> Looker:
        if look.machine is not None:
            return look.machine
        if _near(look.at, stepped, rules.together):
            return Looker.HONEYPOT
        if _near(look.at, hasty, rules.together):
            return Looker.BURST
        if accepted_at is not None and look.at < accepted_at + rules.soon:
            return Looker.TOO_SOON
        return Looker.PERSON

    return [who(look) for look in looks]


def _near(at: datetime, moments: Sequence[datetime], span: timedelta) -> bool:
    """Whether any of `moments`, which are in order, is within `span` of a time."""
    after = bisect_left(moments, at - span)
    return after < len(moments) and moments[after] <= at + span


def _bursts(clicks: Sequence[Look], rules: Rules) -> list[datetime]:
    """When bursts were going on: the times of the clicks that make them up."""
    in_order = sorted(clicks, key=lambda look: look.at)
    found: set[datetime] = set()
    for links, span in rules.bursts:
        within: Counter[int | None] = Counter()
        first = marked = different = 0
        for last, look in enumerate(in_order):
            different += within[look.link] == 0
            within[look.link] += 1
            while look.at - in_order[first].at > span:
                within[in_order[first].link] -= 1
                different -= within[in_order[first].link] == 0
                first += 1
            if different >= links:
                found.update(one.at for one in in_order[max(first, marked) : last + 1])
                marked = last + 1
    return sorted(found)
