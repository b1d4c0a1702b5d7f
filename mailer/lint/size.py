"""How large a message becomes for whoever has the longest values."""

from __future__ import annotations

import re

from mailer.issue.expression import parse
from mailer.issue.model import START
from mailer.issue.problems import Notes
from mailer.issue.readers import Readers, longest
from mailer.issue.rules import Rule
from mailer.lint.page import Page
from mailer.render.escape import escape
from mailer.render.model import Rendering, Slot, SlotKind
from mailer.render.render import constants

#: Gmail shows so much of a message's HTML, then a link to the rest; the unsubscribe link with it.
CLIPPED = 102 * 1024
NEARLY = 90 * 1024
#: Gmail leaves out a style element that is larger.
MAX_STYLE = 16 * 1024
#: Our own pages: the public URL, a path and a token.
_PAGE_URL = 160
#: The delivery cuts longer values.
_MAX_VALUE = 2000


def check(page: Page, notes: Notes) -> None:
    """Note what Gmail would cut off."""
    size = worst(page, page.html)
    if size >= NEARLY:
        heavy = "Gmail cuts it off" if size >= CLIPPED else "Gmail cuts off what is over 102 KB"
        notes.add(
            Rule.MESSAGE_SIZE,
            START,
            f"the HTML has {size / 1024:.0f} KB with the longest values in it: {heavy}",
            "shorten the issue, or move parts of it behind a link",
        )
    for element in page.root.iter("style"):
        weight = len((element.text or "").encode())
        if weight > MAX_STYLE:
            notes.add(
                Rule.STYLE_SIZE,
                START,
                f"a <style> has {weight / 1024:.0f} KB: Gmail leaves out what is over 16 KB",
                f"shorten client.css.j2, or split it over several mj-style: {page.theme.folder}",
            )


def worst(page: Page, text: str) -> int:
    """The size in bytes for those with the longest values, on the longer side of each condition."""
    rendering = page.rendering
    fixed = constants(page.issue, page.look)
    weights = {slot.number: _weight(slot, page.readers, fixed) for slot in rendering.slots}
    return _longest_way(text, rendering, weights)


def _weight(slot: Slot, readers: Readers, fixed: dict[str, dict[str, object]]) -> int:
    if slot.kind is SlotKind.SYSTEM:
        return _PAGE_URL
    value = longest(parse(slot.source), readers, fixed)[:_MAX_VALUE]
    return len(escape(value, slot.escape).encode())


def _longest_way(text: str, rendering: Rendering, weights: dict[int, int]) -> int:
    """One pass over the marks; for each open condition what its two sides come to."""
    marks = re.compile(rf"zq{rendering.nonce}x(\d+)z|<!--zq{rendering.nonce}(if|else|end)\d+-->")
    here, at = 0, 0
    open_: list[tuple[int, int]] = []
    for match in marks.finditer(text):
        here += len(text[at : match.start()].encode())
        at = match.end()
        slot, word = match.groups()
        if slot is not None:
            here += weights[int(slot)]
        elif word == "if":
            open_.append((here, 0))
            here = 0
        elif word == "else":
            open_[-1] = (open_[-1][0], here)
            here = 0
        else:
            before, then = open_.pop()
            here = before + max(then, here)
    return here + len(text[at:].encode())
