"""Whether a campaign's figures are bad enough to stop it: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailer.settings import FuseSettings

#: One complaint among the first two hundred is bad luck; so many are a figure.
FEWEST = 3
#: After a person has overridden the fuse it blows again at so many times the share it blew at.
WORSE = 1.25
#: The key of the whole campaign among its lanes.
WHOLE = ""


class Figure(StrEnum):
    """What the fuse watches, as shares of the copies that were taken or refused for good."""

    HARD_BOUNCES = "hard bounces"
    COMPLAINTS = "complaints"
    #: Refusals for good because of content, policy or reputation.
    REFUSALS = "refusals"


#: {lane: {figure: share}}, as it is kept when the fuse blows.
Shares = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How the copies of one lane fared; `tried` were taken, or refused for good."""

    lane: str
    tried: int = 0
    hard: int = 0
    complained: int = 0
    refused: int = 0

    def count(self, figure: Figure) -> int:
        """How many copies count towards a figure."""
        counts = {
            Figure.HARD_BOUNCES: self.hard,
            Figure.COMPLAINTS: self.complained,
            Figure.REFUSALS: self.refused,
        }
        return counts[figure]


@dataclass(frozen=True, kw_only=True)
class Trip:
    """One figure that passed its threshold; lane "" is the whole campaign."""

    lane: str
    figure: Figure
    count: int
    tried: int
    threshold: float

    @property
    def share(self) -> float:
        """The figure as a share of 1."""
        return self.count / self.tried

    def __str__(self) -> str:
        """Figures for people."""
        where = f" in lane {self.lane}" if self.lane else ""
        return (
            f"{self.count} {self.figure} among {self.tried} copies{where}"
            f" ({self.share:.2%}, threshold {self.threshold:.2%})"
        )


def trips(
    tallies: Sequence[Tally], thresholds: FuseSettings, *, blown: Shares | None = None
) -> list[Trip]:
    """The figures that stop a campaign, of the whole and of each lane.

    `blown` are the shares at which it was stopped before: a person has seen them and let it
    go on, so only clearly worse ones count.
    """
    accepted = blown or {}
    return [
        trip
        for tally in (whole(tallies), *tallies)
        if tally.tried >= thresholds.least
        for trip in _over(tally, thresholds)
        if trip.share > accepted.get(trip.lane, {}).get(trip.figure, 0.0) * WORSE
    ]


def whole(tallies: Iterable[Tally]) -> Tally:
    """The sum of all lanes."""
    every = [*tallies]
    return Tally(
        lane=WHOLE,
        tried=sum(tally.tried for tally in every),
        hard=sum(tally.hard for tally in every),
        complained=sum(tally.complained for tally in every),
        refused=sum(tally.refused for tally in every),
    )


def shares(tallies: Sequence[Tally]) -> dict[str, dict[str, float]]:
    """All figures of the whole and of each lane, to be kept when the fuse blows."""
    return {
        tally.lane: {str(figure): tally.count(figure) / tally.tried for figure in Figure}
        for tally in (whole(tallies), *tallies)
        if tally.tried
    }


def _over(tally: Tally, thresholds: FuseSettings) -> Iterator[Trip]:
    limits = {
        Figure.HARD_BOUNCES: thresholds.hard_bounces,
        Figure.COMPLAINTS: thresholds.complaints,
        Figure.REFUSALS: thresholds.refusals,
    }
    for figure, threshold in limits.items():
        count = tally.count(figure)
        if count >= FEWEST and count / tally.tried > threshold:
            yield Trip(
                lane=tally.lane,
                figure=figure,
                count=count,
                tried=tally.tried,
                threshold=threshold,
            )
