"""Figures and names as words that fit: pure."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

#: Characters that turn the direction of all that follows them, in a label that others stand by.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def number(many: int) -> str:
    """1234567 as 1,234,567; what is less than nothing has a true minus."""
    return f"{many:,}".replace("-", "−")


def counted(many: int, what: str) -> str:
    """So many of something, of which one is one."""
    return f"{number(many)} {what}" if many == 1 else f"{number(many)} {what}s"


def short_number(many: int) -> str:
    """A round number for an axis: 1,500 as 1.5k."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if abs(many) >= size:
            return f"{many / size:g}{unit}".replace("-", "−")
    return number(many)


def share(part: float, whole: float) -> str:
    """A part in percent, with one figure after the point; a dash where there is no whole.

    Never 100 % where something is missing, nor 0 % where something is there.
    """
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %"


def span(time: timedelta) -> str:
    """How long something took, in its two biggest units."""
    seconds = time.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    units = (("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60))
    told = [f"{many} {unit}" for unit, many in (*units, ("s", whole % 60)) if many]
    return " ".join(told[:2])


def clean(text: str) -> str:
    """Text without what a terminal or a page would take for an order, on one line."""
    kept = (
        " " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter
        for letter in text
        if letter not in _TURNING and unicodedata.category(letter) != "Cs"
    )
    return " ".join("".join(kept).split())


def subject_words(subject: str) -> str:
    """A subject on one line, or what stands for one of which nothing is to be seen."""
    return clean(subject) or "(no subject)"


def width_of(text: str) -> int:
    """How many columns a text takes; ideographs take two, accents that stand alone none."""
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """Text cut to so many columns, with an ellipsis where something is missing."""
    text = clean(text)
    if width_of(text) <= columns:
        return text
    kept, left = [], columns - 1
    for letter in text:
        left -= _columns(letter)
        if left < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"
