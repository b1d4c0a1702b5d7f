"""Inline Markdown to Inlines: text, emphasis, links, images, merge fields, conditions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from markdown_it.tree import SyntaxTreeNode

from mailer.issue.expression import Expression
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
    Place,
    Strong,
    Struck,
    Text,
    Words,
)
from mailer.issue.nest import nest
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.tags import Tag, TagKind, Tags
from mailer.issue.urls import judge

#: U+3000 is no blank to trim: Chinese and Japanese paragraphs begin with it.
_ENDS = " \t\n"
_BUTTON = re.compile(r"\{\.button\}")
_WRAPPERS: dict[str, type[Strong | Emphasis | Struck]] = {
    "strong": Strong,
    "em": Emphasis,
    "s": Struck,
}


@dataclass(kw_only=True)
class InlineReader:
    """Reads the inline tokens of one issue; `lines` are its lines with marks in them."""

    tags: Tags
    lines: list[str]

    @property
    def notes(self) -> Notes:
        """Where problems go."""
        return self.tags.notes

    def read(self, node: SyntaxTreeNode) -> Inlines:
        """The inlines of one `inline` node, line ends of the source still in their text."""
        first, last = node.map or (0, 1)
        block = _Block(reader=self, first=first, text="\n".join(self.lines[first:last]))
        return block.children(node)

    def target(self, raw: str, place: Place) -> Link:
        """The link of a directive, whose words stand elsewhere."""
        url = self.tags.words(raw, where="a URL")
        if problem := judge(url):
            self.notes.add(Rule.MALFORMED_LINK, place, *problem)
        return Link(url=url, children=(), place=place)


@dataclass(kw_only=True)
class _Block:
    """One block of text, and how far its links have been found in the source."""

    reader: InlineReader
    first: int
    text: str
    cursor: int = 0

    @property
    def tags(self) -> Tags:
        return self.reader.tags

    def children(self, node: SyntaxTreeNode) -> Inlines:
        pieces: list[Inline | Tag] = []
        for child in node.children:
            pieces.extend(self.convert(child))
        return settle(nest(_buttons(pieces), self.tags.notes, choice))

    def convert(self, node: SyntaxTreeNode) -> Iterator[Inline | Tag]:
        kind = node.type
        if kind == "text":
            yield from self.pieces(node.content)
        elif kind == "softbreak":
            yield Text(text="\n")
        elif kind == "hardbreak":
            yield LineBreak()
        elif kind == "code_inline":
            yield Code(children=self.words(node.content, where="code"))
        elif kind in _WRAPPERS:
            yield _WRAPPERS[kind](children=self.children(node))
        elif kind == "link":
            yield self.link(node)
        elif kind == "image":
            yield self.picture(node)
        elif kind == "html_inline":
            self.html(node.content)
        else:
            yield from self.pieces(node.content)

    def pieces(self, text: str) -> Iterator[Inline | Tag]:
        for piece in self.tags.split(text):
            if isinstance(piece, str):
                yield Text(text=piece)
            elif piece.kind is TagKind.FIELD and piece.expression:
                yield Merge(expression=piece.expression, place=piece.place)
            else:
                yield piece

    def words(self, text: str, *, where: str) -> Words:
        return self.tags.words(text, where=where)

    def link(self, node: SyntaxTreeNode) -> Link:
        raw = str(node.attrs.get("href", ""))
        place = self.find(raw)
        children = self.children(node)
        url = self.words(raw, where="a URL")
        if problem := judge(url):
            self.tags.notes.add(Rule.MALFORMED_LINK, place, *problem)
        if not shows(children):
            self.tags.notes.add(
                Rule.EMPTY_LINK,
                place,
                "this link has no text",
                "write what it leads to: [Text](https://…)",
            )
        return Link(url=url, children=children, place=place)

    def picture(self, node: SyntaxTreeNode) -> Picture:
        raw = str(node.attrs.get("src", ""))
        place = self.find(raw)
        url = self.words(raw, where="a URL")
        if problem := judge(url, image=True):
            self.tags.notes.add(Rule.MALFORMED_LINK, place, *problem)
        alt = "".join(_flat(child) for child in node.children)
        return Picture(url=url, alt=self.words(alt, where="an image's text"), place=place)

    def html(self, content: str) -> None:
        if not content.startswith("<!--"):
            self.tags.notes.add(
                Rule.RAW_HTML,
                self.find(content, plain=True),
                f"HTML can't stand in an issue: {content[:40]}",
                "use Markdown, or write &lt; for the character <",
            )

    def find(self, raw: str, *, plain: bool = False) -> Place:
        """Where a URL stands in the source; the start of the block if it is written elsewhere."""
        for before in ("",) if plain else ("](", "](<", "<", ": ", ""):
            at = self.text.find(before + raw, self.cursor)
            if at >= 0:
                at += len(before)
                self.cursor = at
                return self.place(at)
        return self.place(0)

    def place(self, offset: int) -> Place:
        line = self.first + 1 + self.text.count("\n", 0, offset)
        column = offset - (self.text.rfind("\n", 0, offset) + 1) + 1
        return Place(line=line, column=self.tags.column(line, column))


def _flat(node: SyntaxTreeNode) -> str:
    if node.type in ("softbreak", "hardbreak"):
        return " "
    if node.children:
        return "".join(_flat(child) for child in node.children)
    return node.content


def choice(condition: Expression, then: Inlines, otherwise: Inlines) -> Inline:
    """A branch in a text."""
    return Choice(condition=condition, then=settle(then), otherwise=settle(otherwise))


def _buttons(pieces: list[Inline | Tag]) -> list[Inline | Tag]:
    """`{.button}` right behind a link makes it a button."""
    done: list[Inline | Tag] = []
    for piece in pieces:
        last = done[-1] if done else None
        if isinstance(piece, Text) and isinstance(last, Link):
            match = _BUTTON.match(piece.text)
            if match:
                done[-1] = replace(last, button=True)
                piece = Text(text=piece.text[match.end() :])
        done.append(piece)
    return done


def settle(inlines: Inlines) -> Inlines:
    """Neighbouring texts joined, empty ones gone."""
    done: list[Inline] = []
    for inline in inlines:
        last = done[-1] if done else None
        if isinstance(inline, Text) and isinstance(last, Text):
            done[-1] = Text(text=last.text + inline.text)
        elif not (isinstance(inline, Text) and not inline.text):
            done.append(inline)
    return tuple(done)


def shows(inlines: Inlines) -> bool:
    """Whether there is anything to see."""
    return any(_shows(inline) for inline in inlines)


def _shows(inline: Inline) -> bool:
    match inline:
        case Text(text=text):
            return bool(text.strip())
        case Choice(then=then, otherwise=otherwise):
            return shows(then) or shows(otherwise)
        case Strong() | Emphasis() | Struck() | Code() | Link():
            return shows(inline.children)
        case LineBreak():
            return False
        case Merge() | Picture():
            return True


def flow(inlines: Inlines) -> Inlines:
    """Line ends of the source become what they mean: a blank, or nothing between CJK characters.

    Chinese and Japanese are written without blanks; a line end between two of their characters
    would show as a gap.
    """
    return _trim(tuple(_flow(inline) for inline in inlines))


def _flow(inline: Inline) -> Inline:
    match inline:
        case Text(text=text):
            return Text(text=_LINE_END.sub(_join, text))
        case Choice(then=then, otherwise=otherwise):
            below = tuple(map(_flow, then)), tuple(map(_flow, otherwise))
            return replace(inline, then=below[0], otherwise=below[1])
        case Strong() | Emphasis() | Struck() | Link():
            return replace(inline, children=tuple(map(_flow, inline.children)))
        case _:
            return inline


_LINE_END = re.compile(r"(.?)[ \t]*\n[ \t]*(?=(.?))")


def _join(match: re.Match[str]) -> str:
    before, after = match.group(1), match.group(2)
    wide = before and after and _wide(before) and _wide(after)
    return before if wide else before + " "


def _wide(char: str) -> bool:
    hangul = "\uac00" <= char <= "\ud7a3"
    return unicodedata.east_asian_width(char) in "WF" and not hangul


def _trim(inlines: Inlines) -> Inlines:
    done = list(inlines)
    while done and isinstance(done[0], LineBreak):
        del done[0]
    while done and isinstance(done[-1], LineBreak):
        del done[-1]
    if done and isinstance(done[0], Text):
        done[0] = Text(text=done[0].text.lstrip(_ENDS))
    if done and isinstance(done[-1], Text):
        done[-1] = Text(text=done[-1].text.rstrip(_ENDS))
    return settle(tuple(done))
