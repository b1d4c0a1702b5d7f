"""Spans of time cut into equal pieces that people count in: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

#: Seconds, minutes, hours and days as clocks show them.
WIDTHS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(1, 2, 5, 10, 15, 30),
        *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
        *(3600 * hours for hours in (1, 2, 3, 6, 12)),
        *(86400 * days for days in (1, 2, 7, 14, 28)),
    )
)
#: So many pieces are enough for a plot, and few enough for one statement.
MOST = 60
#: A course is told until so much of it is over; what drags on after that is told in words.
_NEARLY_ALL = 0.95
#: Where that much falls into so small a part of the span, the rest of it says nothing.
_SMALL_PART = 1 / 5
#: Pieces that grow by so much each, and how many of them reach over ten years from a second on.
_FACTOR, _PIECES = 1.3, 76
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def width_for(span: timedelta, *, most: int = MOST) -> timedelta:
    """The finest width of which at most `most` make up the span."""
    for width in WIDTHS:
        if width * most >= span:
            return width
    weeks = -(-span // (timedelta(days=28) * most))
    return timedelta(days=28) * weeks


def bounds_of(first: datetime, last: datetime, *, most: int = MOST) -> tuple[datetime, ...]:
    """Moments that part `first` to `last` into pieces; the last one lies after `last`."""
    # One piece may be lost to the start, which is put on a whole number of widths.
    width = width_for(last - first, most=most - 1)
    start = first - (first - _EPOCH) % width
    pieces = (last - start) // width + 1
    return tuple(start + width * piece for piece in range(pieces + 1))


def growing(start: datetime) -> tuple[datetime, ...]:
    """Moments ever further apart, for ten years: fine at first, when most is going on."""
    return tuple(start + timedelta(seconds=_FACTOR**piece) for piece in range(_PIECES))


def end_of(first: datetime, last: datetime, pieces: Sequence[tuple[int, datetime]]) -> datetime:
    """Where a course from `first` to `last` is told to: all of it, or until nearly all is over.

    `pieces` follow each other in time: how many fell into each, and when its last one did.
    """
    enough = sum(many for many, _ in pieces) * _NEARLY_ALL
    so_far = accumulate(many for many, _ in pieces)
    nearly = next(
        (at for many, (_, at) in zip(so_far, pieces, strict=True) if many >= enough), last
    )
    if nearly - first > (last - first) * _SMALL_PART:
        return last
    return min(nearly + max((nearly - first) / 4, WIDTHS[0]), last)
