"""Looks that wait in memory until those near them have come, too: pure.

A look can't be judged by itself: what comes right after it may show that a machine is at work.
What waits here is lost if the process is killed; figures may miss it, mail never does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from mailer.campaign.track import Track
from mailer.feedback.track.judge import RULES
from mailer.feedback.track.model import Look, Rules

#: So many looks are in memory at most, and so many of one group: nobody's mail fills it alone.
MOST = 100_000
MOST_OF_ONE = 1000

#: What belongs together: looks at one copy, or one visitor's where links name no copy.
_Key: TypeAlias = tuple[Track, int]


@dataclass(kw_only=True)
class _Group:
    """Looks in the order they came; the first `done` of them are recorded."""

    looks: list[Look] = field(default_factory=list)
    done: int = 0


@dataclass(frozen=True, kw_only=True)
class Ripe:
    """Looks near each other; those from `first` up to `last` are to be recorded now."""

    key: _Key
    looks: Sequence[Look]
    first: int
    last: int


class Waiting:
    """All that waits; never to be used from two threads at once."""

    def __init__(self, *, rules: Rules = RULES) -> None:
        """`rules` say how far looks are judged together."""
        self._together = rules.together
        self._groups: dict[_Key, _Group] = {}
        # Each look's time and group, in the order they came: first those that wait, then those
        # that are recorded and stay a while as evidence.
        self._queue: deque[tuple[datetime, _Key]] = deque()
        self._past: deque[tuple[datetime, _Key]] = deque()

    def add(self, look: Look) -> bool:
        """Take a look; False where there is no room for it."""
        key = (look.track, look.visitor if look.track.delivery_id is None else 0)
        group = self._groups.setdefault(key, _Group())
        if len(self._queue) + len(self._past) >= MOST or len(group.looks) >= MOST_OF_ONE:
            return False
        group.looks.append(look)
        self._queue.append((look.at, key))
        return True

    def ripe(self, now: datetime, *, most: int, at_once: bool = False) -> list[Ripe]:
        """Looks of up to `most` groups that can be judged; `at_once`: without waiting longer."""
        counts: dict[_Key, int] = {}
        for at, key in self._queue:
            if len(counts) == most or (not at_once and at + self._together >= now):
                break
            counts[key] = counts.get(key, 0) + 1
        return [self._ripe(key, count) for key, count in counts.items()]

    def _ripe(self, key: _Key, count: int) -> Ripe:
        group = self._groups[key]
        return Ripe(key=key, looks=tuple(group.looks), first=group.done, last=group.done + count)

    def settle(self, recorded: Iterable[Ripe]) -> None:
        """Say that all that `ripe` gave is recorded."""
        for one in recorded:
            self._groups[one.key].done = one.last
            for _ in range(one.first, one.last):
                self._past.append(self._queue.popleft())

    def forget(self, now: datetime) -> None:
        """Drop what is recorded and so old that it says nothing about what comes."""
        while self._past and self._past[0][0] + 2 * self._together < now:
            _, key = self._past.popleft()
            group = self._groups[key]
            del group.looks[0]
            group.done -= 1
            if not group.looks:
                del self._groups[key]
