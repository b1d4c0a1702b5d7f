"""A report as it stands on a page: pure values, words included."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailer.report.plot.marks import Plot, Table


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One figure that is seen first; `note` says of what it is."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question answered: by a plot, by a table, or by both. `wide`: over the whole page."""

    heading: str
    note: str = ""
    plot: Plot | None = None
    table: Table | None = None
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole page. `about` stands below its title, `notes` at its end.

    Names that others gave stand alone in `title` and in a line of `about`: whichever way they are
    written, they turn nothing else around. `kind` says what the page tells of its title.
    """

    title: str
    kind: str
    about: tuple[str, ...]
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = field(default=())
