"""Where a piece of text stands in the source of an issue."""

from __future__ import annotations

from mailer.issue.model import Place

#: A block's text is looked for no further below its first line.
REACH = 20_000


def place_of(source: str, text: str, block: Place, *, reach: int = REACH) -> Place:
    """The first place of `text` from a block's line on; the block's own where it is not found."""
    return seek(source, text, block, reach=reach) or block


def seek(source: str, text: str, block: Place, *, reach: int = REACH) -> Place | None:
    """The first place of `text` from a block's line on, if it stands there without a \\ before."""
    start = _offset(source, block.line)
    found = source.find(text, start, start + reach)
    while found > 0 and source[found - 1] == "\\":
        found = source.find(text, found + 1, start + reach)
    if found < 0:
        return None
    line_start = source.rfind("\n", 0, found) + 1
    return Place(line=block.line + source.count("\n", start, found), column=found - line_start + 1)


def _offset(source: str, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = source.find("\n", at) + 1
        if at == 0:
            return len(source)
    return at
