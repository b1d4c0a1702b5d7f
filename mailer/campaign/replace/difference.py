"""What readers would see of a change: pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from mailer.render.model import Rendering, SystemSlot
from mailer.render.preview import NOBODY, fill
from mailer.render.track import links_of

_OWN_LINK = "(their own link)"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What readers would see of a change: lines of the plain text, and links."""

    subject: tuple[str, str] | None
    preheader: tuple[str, str] | None
    lines: tuple[str, ...]
    links_added: tuple[str, ...]
    links_removed: tuple[str, ...]

    @property
    def unseen(self) -> bool:
        """Whether only what the plain text does not show is another: looks, images, markup."""
        return not any((self.subject, self.preheader, self.lines))


def difference(old: Rendering, new: Rendering) -> Difference:
    """What changes from one rendering to another, for somebody of whom nothing is known: pure."""
    before, after = _text(old), _text(new)
    was, will = links_of(old), links_of(new)
    diff = difflib.unified_diff(before, after, lineterm="", n=0)
    return Difference(
        subject=(old.title, new.title) if old.title != new.title else None,
        preheader=(old.preheader, new.preheader) if old.preheader != new.preheader else None,
        lines=tuple(line for line in diff if not line.startswith(("---", "+++", "@@"))),
        links_added=tuple(url for url in will if url not in was),
        links_removed=tuple(url for url in was if url not in will),
    )


def _text(rendering: Rendering) -> list[str]:
    return fill(rendering, NOBODY, dict.fromkeys(SystemSlot, _OWN_LINK)).text.splitlines()
