"""What a plot is made of: rectangles, lines and words at places; y grows downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class Rect:
    """A bar or a part of one; `look` names its colour, `says` what it stands for."""

    x: float
    y: float
    width: float
    height: float
    look: str
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class Path:
    """A line through points, or with `closed` the area within them."""

    points: tuple[tuple[float, float], ...]
    look: str
    closed: bool = False


@dataclass(frozen=True, kw_only=True)
class Label:
    """Words at a place; `anchor` is start, middle or end. `whole`: what was cut short."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    look: str = "label"
    whole: str = ""


Mark: TypeAlias = Rect | Path | Label


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures in rows, the first cell of each naming it."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One picture: `title` and `says` tell in words what it shows; `legend`: (look, words)."""

    title: str
    says: str
    width: float
    height: float
    marks: tuple[Mark, ...]
    legend: tuple[tuple[str, str], ...] = ()
