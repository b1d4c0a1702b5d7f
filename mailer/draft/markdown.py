"""Somebody else's words as Markdown that shows just them, whatever they hold."""

from __future__ import annotations

import re
from urllib.parse import quote

#: Controls, and what turns or hides text: no page's title shall do that in a mail.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufffe\uffff]"
)
_BLANKS = re.compile(r"[\s\u3000]+")
#: `{` and what follows it open merge fields and conditions, before Markdown is read.
_SPECIAL = re.compile(
    r"[\\`*\[\]<>~{]|(?<![^\W_])_|_(?![^\W_])|(?<=\{)[%#]|!(?=[\[-])|&(?=[#A-Za-z])"
)
_LEADING = re.compile(r"(?:\d{1,9}(?=[.)])|(?=[-+=#:|]))")


def plain(text: str, most: int) -> str:
    """Words on one line, at most so many characters, cut between words."""
    words = _BLANKS.sub(" ", _UNWANTED.sub("", text)).strip()
    if len(words) <= most:
        return words
    cut = words[: most - 1]
    return (cut.rpartition(" ")[0] if " " in cut[most // 2 :] else cut).rstrip(" ,;:–—-") + "…"


def escaped(text: str) -> str:
    """A line of plain words as Markdown."""
    marked = _SPECIAL.sub(lambda match: "\\" + match.group(), text)
    if match := _LEADING.match(marked):
        marked = f"{match.group()}\\{marked[match.end() :]}"
    return marked


def target(url: str) -> str:
    """A URL as it can stand between the parentheses of a link."""
    return quote(url, safe="!#$%&'*+,/:;=?@[]~-._").replace("[", "%5B").replace("]", "%5D")


def link(words: str, url: str) -> str:
    """A link with these plain words."""
    return f"[{escaped(words)}]({target(url)})"
