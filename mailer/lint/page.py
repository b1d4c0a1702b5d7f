"""A rendered issue as the rules look at it: a tree whose elements know the author's lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lxml import etree
from lxml import html as lxml_html

from mailer.issue.model import START, ParsedIssue, Place
from mailer.issue.readers import Readers
from mailer.render.model import NewsletterLook, Rendering
from mailer.render.theme import Theme

#: The comment before a block; `render` writes it when it is asked for the author's lines.
_MARK = r"zq{nonce}at(\d+)"


@dataclass(frozen=True, kw_only=True)
class Page:
    """An issue, what became of it, and for whom.

    `rendering` is traced: before each block stands a mark with the line its author wrote it on.
    """

    issue: ParsedIssue
    rendering: Rendering
    look: NewsletterLook
    theme: Theme
    readers: Readers

    @cached_property
    def html(self) -> str:
        """The HTML as it is sent, slots still open, without the marks of lines."""
        mark = f"<!--{_MARK.format(nonce=self.rendering.nonce)}-->"
        return re.sub(mark, "", self.rendering.html)

    @cached_property
    def root(self) -> lxml_html.HtmlElement:
        """The HTML as a tree; both sides of each condition stand in it."""
        # As text lxml refuses what names an encoding, and takes the bytes for Latin-1 without.
        parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
        return lxml_html.document_fromstring(self.rendering.html.encode(), parser=parser)

    @cached_property
    def lines(self) -> dict[etree._Element, int]:
        """The author's line of each element that an author's block became."""
        found: dict[etree._Element, int] = {}
        mark = re.compile(_MARK.format(nonce=self.rendering.nonce))
        for parent in self.root.iter(etree.Element):
            line = found.get(parent)
            for child in parent:
                if child.tag is etree.Comment:
                    match = mark.fullmatch(child.text or "")
                    line = int(match[1]) if match else line
                elif line:
                    found[child] = line
        return found

    def place(self, element: etree._Element) -> Place:
        """Where the author wrote what became this element; the top for what the theme adds."""
        line = self.lines.get(element)
        return Place(line=line, column=1) if line else START

    def where(self, *needles: str) -> str:
        """Where in the theme one of these words stands, as `file:line`; else the theme's folder."""
        for needle in needles:
            for file, lines in self._sources:
                for number, line in enumerate(lines, start=1):
                    if needle in line:
                        return f"{file}:{number}"
        return str(self.theme.folder)

    @cached_property
    def _sources(self) -> list[tuple[Path, list[str]]]:
        """The lines of the theme's own files, then of those that all themes share."""
        files = [file for place in self.theme.places for file in sorted(place.glob("*.*"))]
        texts = ((file, file.read_text("utf-8", "replace")) for file in files)
        return [(file, text.split("\n")) for file, text in texts]
