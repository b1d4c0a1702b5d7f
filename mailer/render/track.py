"""Links of a rendering that can be counted, and what stands in their place: pure.

A frozen rendering never holds any of this: the web page of a copy, the archive and the preview
show links as they were written. Only what is composed for mail is tracked, by the numbers that
its campaign froze.
"""

from __future__ import annotations

import dataclasses
import html as escaping
import re
from collections.abc import Sequence

from mailer.render.model import Escape, Rendering, Slot, SlotKind, SystemSlot, slot_mark

#: The number of the link that no reader sees: whoever follows it is a machine.
HONEYPOT = 0
#: What the picture is called that is fetched when a message is displayed.
PIXEL = "open.gif"

_HREF = re.compile(r"""(<a(?=\s)(?:[^<>"']|"[^"]*"|'[^']*')*?\shref=")([^"]*)""", re.IGNORECASE)
#: How the plain text writes a link.
_IN_TEXT = re.compile(r"<([^<>\s]+)>")
_WEB = re.compile(r"https?://[^\s\x00-\x1f\x7f/?#][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


def links_of(rendering: Rendering) -> tuple[str, ...]:
    """The URLs that can be counted, each once, numbered from 1 by their place here.

    Links to web pages that are the same for everybody: a URL with a slot in it (the way out,
    the preferences, an author's merge field) is not one of them, nor is mailto:.
    """
    found = [escaping.unescape(match[2]) for match in _HREF.finditer(rendering.html)]
    found += [match[1] for match in _IN_TEXT.finditer(rendering.text)]
    slot = f"zq{rendering.nonce}x"
    return tuple(dict.fromkeys(url for url in found if _WEB.fullmatch(url) and slot not in url))


def tracked(rendering: Rendering, links: Sequence[str], *, base: str | None) -> Rendering:
    """The rendering with `base` and a number in place of each of `links`, and pixel and honeypot.

    `base` None: it differs per recipient, and becomes one slot.
    """
    slots = rendering.slots
    if base is None:
        number = max((slot.number for slot in slots), default=-1) + 1
        new = Slot(
            number=number,
            source=SystemSlot.CLICK_URL.value,
            kind=SlotKind.SYSTEM,
            escape=Escape.LINK,
        )
        slots, base = (*slots, new), slot_mark(rendering.nonce, number)
    places = {url: f"{base}/{number}" for number, url in enumerate(links, start=1)}

    def in_html(match: re.Match[str]) -> str:
        return match[1] + places.get(escaping.unescape(match[2]), match[2])

    def in_text(match: re.Match[str]) -> str:
        return f"<{places.get(match[1], match[1])}>"

    return dataclasses.replace(
        rendering,
        html=_with_ends(_HREF.sub(in_html, rendering.html), base),
        text=_IN_TEXT.sub(in_text, rendering.text),
        slots=slots,
        checksum="",
    )


def _with_ends(page: str, base: str) -> str:
    """The page with the honeypot and the pixel as the last things in its body."""
    ends = (
        f'<a href="{base}/{HONEYPOT}" rel="nofollow" tabindex="-1" aria-hidden="true"'
        ' style="display:none;mso-hide:all"></a>'
        f'<img src="{base}/{PIXEL}" alt="" width="1" height="1"'
        ' style="display:block;width:1px;height:1px;border:0" />'
    )
    body_ends = [match.start() for match in _BODY_END.finditer(page)]
    at = body_ends[-1] if body_ends else len(page)
    return page[:at] + ends + page[at:]
