"""A rendering filled in for one person, as text: for the eye, the archive page and the tests.

The delivery does the same on bytes, compiled, for thousands; this is the plain way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mailer.errors import RenderingFailed
from mailer.issue.expression import evaluate, holds, parse
from mailer.render.escape import escape
from mailer.render.model import Escape, Rendering, Slot, SlotKind, SystemSlot
from mailer.render.slots import SlotBook

#: Somebody of whom nothing is known: merge fields show their defaults.
NOBODY: Mapping[str, object] = {"subscriber": {}, "newsletter": {}, "issue": {}}


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What one person would get."""

    subject: str
    html: str
    text: str


def fill(
    rendering: Rendering,
    fields: Mapping[str, object],
    system: Mapping[SystemSlot, str],
) -> Filled:
    """The rendering for one person; a system slot that is not given is empty.

    Raises RenderingFailed when the rendering's conditions are not balanced.
    """
    shown = {each.number: holds(parse(each.source), fields) for each in rendering.conditions}
    slots = {slot.number: slot for slot in rendering.slots}

    def value(number: int) -> str:
        return _value(slots[number], fields, system)

    def whole(text: str) -> str:
        return substitute(text, rendering.nonce, shown, value)

    return Filled(
        subject=_one_line(whole(rendering.subject)),
        html=whole(rendering.html),
        text=whole(rendering.text),
    )


def _value(slot: Slot, fields: Mapping[str, object], system: Mapping[SystemSlot, str]) -> str:
    if slot.kind is SlotKind.SYSTEM:
        return escape(system.get(SystemSlot(slot.source), ""), slot.escape)
    value = evaluate(parse(slot.source), fields)
    return escape(value if isinstance(value, str) else str(value).lower(), slot.escape)


def neutral(text: str, book: SlotBook, how: Escape) -> str:
    """A line for somebody of whom nothing is known."""
    shown = {each.number: holds(parse(each.source), NOBODY) for each in book.conditions}

    def value(number: int) -> str:
        slot = book.slots[number]
        return "" if slot.kind is SlotKind.SYSTEM else _value(slot, NOBODY, {})

    return escape(_one_line(substitute(text, book.nonce, shown, value)), how)


def _one_line(text: str) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")


def substitute(
    text: str, nonce: str, shown: Mapping[int, bool], value: Callable[[int], str]
) -> str:
    """One pass over `text`: what a value holds is never looked at again.

    `shown` tells which conditions hold, `value(n)` what stands in slot n.
    """
    pattern = re.compile(rf"zq{nonce}x(\d+)z|<!--zq{nonce}(if|else|end)(\d+)-->")
    done: list[str] = []
    #: For each open condition its number and whether its current side is shown.
    open_: list[tuple[int, bool]] = []
    at = 0
    for match in pattern.finditer(text):
        visible = all(side for _, side in open_)
        if visible:
            done.append(text[at : match.start()])
        at = match.end()
        slot, word, number = match.groups()
        if slot is None:
            _turn(open_, word, int(number), shown)
        elif visible:
            done.append(value(int(slot)))
    if open_:
        raise RenderingFailed("a condition of this rendering is not closed; render it again")
    return "".join(done) + text[at:]


def _turn(open_: list[tuple[int, bool]], word: str, number: int, shown: Mapping[int, bool]) -> None:
    if word == "if":
        open_.append((number, shown[number]))
    elif not open_ or open_[-1][0] != number:
        raise RenderingFailed("the conditions of this rendering cross; render it again")
    elif word == "else":
        open_[-1] = (number, not shown[number])
    else:
        open_.pop()
