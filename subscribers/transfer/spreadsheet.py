"""Cells that a spreadsheet would take for a formula: an apostrophe in front, and off again."""

from __future__ import annotations

# The last four: what some programs turn into the first four (full-width forms).
_STARTS_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def guard(cell: str) -> str:
    """Put an apostrophe before what would be run; `unguard` takes exactly that off again."""
    return f"'{cell}" if cell.lstrip("'").startswith(_STARTS_FORMULA) else cell


def unguard(cell: str) -> str:
    """Take one apostrophe off where `guard` put it."""
    guarded = cell.startswith("'") and cell.lstrip("'").startswith(_STARTS_FORMULA)
    return cell[1:] if guarded else cell
