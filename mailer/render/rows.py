"""The rows of a layout: an issue's blocks, and the marks of conditions between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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

    Conditions stand between bands, never inside one: a pair lies within one side of them.
    """
    done: list[Spread] = []
    items: list[Block] = []
    others: list[Block] = []
    for row in rows:
        if items and not isinstance(row.block, Item):
            done += _pairs(items)
            items = []
        if others and (row.mark or isinstance(row.block, Item)):
            done.append(Spread(blocks=tuple(others)))
            others = []
        if row.block is None:
            done.append(Spread(mark=row.mark))
        else:
            (items if isinstance(row.block, Item) else others).append(row.block)
    if others:
        done.append(Spread(blocks=tuple(others)))
    return done + _pairs(items)


def _pairs(items: list[Block]) -> list[Spread]:
    odd = len(items) % 2
    lead = [Spread(blocks=(items[0],))] if odd else []
    pairs = range(odd, len(items), 2)
    return lead + [Spread(blocks=(items[at], items[at + 1]), pair=True) for at in pairs]
