"""The rows of a layout: an issue's blocks, and the marks of conditions between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from mailer.issue.model import Alternative, Block, Blocks, Item
from mailer.render.slots import SlotBook


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a layout: a typed block, or the mark of a condition."""

    block: Block | None = None
    mark: Markup | None = None


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A band across the page: a mark, blocks below each other, or a pair side by side."""

    blocks: Blocks = ()
    pair: bool = False
    mark: Markup | None = None


def rows(blocks: Blocks, book: SlotBook) -> Iterator[Row]:
    """Blocks in a row; conditions around whole blocks become marks, or are decided."""
    for block in blocks:
        if not isinstance(block, Alternative):
            yield Row(block=block)
            continue
        marks = book.marks(block)
        if marks is None:
            yield from rows(book.decided(block), book)
            continue
        yield _mark(marks.start)
        yield from rows(block.then, book)
        if block.otherwise:
            yield _mark(marks.middle)
            yield from rows(block.otherwise, book)
        yield _mark(marks.end)


def _mark(mark: str) -> Row:
    return Row(mark=Markup(mark))  # noqa: S704  (ASCII of our own)


def spreads(rows: Iterable[Row]) -> list[Spread]:
    """Rows for a page of two columns: neighbouring items in pairs, the odd one first and wide.

    Conditions stand between bands, never inside one: a pair lies within one side of them. Whatever
    stands below each other shares a band, for each costs a kilobyte of HTML.
    """
    done: list[Spread] = []
    below: list[Block] = []
    for is_item, group in groupby(rows, key=lambda row: isinstance(row.block, Item)):
        these = list(group)
        blocks = [row.block for row in these if row.block is not None]
        if is_item:
            odd = len(blocks) % 2
            done += _band(below + blocks[:odd]) + _pairs(blocks[odd:])
            below = []
            continue
        for row in these:
            if row.block is None:
                done += [*_band(below), Spread(mark=row.mark)]
                below = []
            else:
                below.append(row.block)
    return done + _band(below)


def _band(blocks: list[Block]) -> list[Spread]:
    return [Spread(blocks=tuple(blocks))] if blocks else []


def _pairs(items: list[Block]) -> list[Spread]:
    found = zip(items[::2], items[1::2], strict=True)
    return [Spread(blocks=pair, pair=True) for pair in found]
