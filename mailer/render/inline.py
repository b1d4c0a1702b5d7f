"""Inline text as HTML, with slots and conditions in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup
from markupsafe import escape as html

from mailer.issue.model import (
    Choice,
    Code,
    Emphasis,
    Inline,
    Inlines,
    LineBreak,
    Link,
    Merge,
    Picture,
    Strong,
    Struck,
    Text,
    Words,
)
from mailer.render.images import NO_IMAGES, Gallery, LocalImage
from mailer.render.links import address
from mailer.render.model import Escape
from mailer.render.slots import SlotBook

_BLANKS = re.compile(r"[ \t\n\r]+")


@dataclass(frozen=True, kw_only=True)
class InlineHtml:
    """Writes inlines as HTML; every text in it is escaped here and nowhere else."""

    book: SlotBook
    utm: tuple[tuple[str, str], ...]
    gallery: Gallery = NO_IMAGES

    def inlines(self, inlines: Inlines) -> Markup:
        """A run of text."""
        return Markup("").join(self._one(inline) for inline in inlines)

    def href(self, url: Words) -> Markup:
        """A link's URL, as the value of an attribute."""
        return html(address(url, self.book, whole=Escape.LINK, utm=self.utm))

    def picture(self, picture: Picture, room: int) -> Markup:
        """An image of its own, at most `room` pixels wide; its height is known where it is."""
        local = self.gallery.find(picture.url)
        width = min(room, local.width) if local else room
        # For clients that ignore CSS, and so that no line moves while it loads.
        size = Markup(' width="{}"').format(width)
        if local:
            size += Markup(' height="{}"').format(max(1, round(local.height * width / local.width)))
        return Markup('<img class="picture" src="{}" alt="{}"{} style="width: {}" />').format(
            self._src(picture.url, local),
            self.words(picture.alt),
            size,
            "100%" if width == room else f"{width}px",
        )

    def _src(self, url: Words, local: LocalImage | None) -> Markup:
        """An image's URL, as the value of an attribute: never with utm parameters."""
        if local:
            return html(self.gallery.address(local))
        return html(address(url, self.book, whole=Escape.LINK))

    def words(self, words: Words) -> Markup:
        """An alternative text, as the value of an attribute."""
        return Markup("").join(self._plain(word) for word in words)

    def _plain(self, word: Text | Merge) -> Markup:
        if isinstance(word, Text):
            return html(_BLANKS.sub(" ", word.text))
        return Markup(self.book.value(word.expression, Escape.HTML))  # noqa: S704  (escaped)

    def _one(self, inline: Inline) -> Markup:
        match inline:
            case Text(text=text):
                return html(text)
            case Merge(expression=expression):
                return Markup(self.book.value(expression, Escape.HTML))  # noqa: S704  (escaped)
            case Choice():
                return Markup(self.book.branch(inline, self.inlines))  # noqa: S704  (escaped)
            case Link():
                return self._link(inline)
            case Picture():
                return Markup('<img class="inline" src="{}" alt="{}" />').format(
                    self._src(inline.url, self.gallery.find(inline.url)), self.words(inline.alt)
                )
            case LineBreak():
                return Markup("<br />")
            case _:
                return self._wrapped(inline)

    def _wrapped(self, inline: Strong | Emphasis | Struck | Code) -> Markup:
        tag = {Strong: "strong", Emphasis: "em", Struck: "s", Code: "code"}[type(inline)]
        return Markup("<{0}>{1}</{0}>").format(tag, self.inlines(inline.children))

    def _link(self, link: Link) -> Markup:
        return Markup('<a class="link" href="{}">{}</a>').format(
            self.href(link.url), self.inlines(link.children)
        )

    def lines(self, inlines: Inlines) -> Markup:
        """Preformatted text: its line ends and indentation kept in a way that mail survives."""
        text = str(self.inlines(inlines)).replace("\t", "    ")
        kept = "<br />".join(
            "\u00a0" * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ")
            for line in text.split("\n")
        )
        return Markup(kept)  # noqa: S704  (made of what was escaped)
