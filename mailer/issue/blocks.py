"""Markdown's block tokens to Blocks, as they stand in the file; `items` then gathers them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from markdown_it.tree import SyntaxTreeNode

from mailer.issue.expression import Expression
from mailer.issue.inline import InlineReader, flow, settle, shows
from mailer.issue.items import card, gather, heading_item
from mailer.issue.model import (
    About,
    Alternative,
    Block,
    Blocks,
    Buttons,
    Byline,
    Choice,
    Contents,
    Figure,
    Highlights,
    Inline,
    Inlines,
    Link,
    Listed,
    Listing,
    Paragraph,
    Picture,
    Place,
    Quote,
    Section,
    Separator,
    Subheading,
    Subscribe,
    Text,
)
from mailer.issue.nest import nest
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.tags import Tag

LEAVES = ("toc", "subscribe", "byline", "about")
CONTAINERS = ("card", "highlights", "about")
_NUMBER = re.compile(r"(\d{1,3})[.)．、][ \t]*(?=\S)")


@dataclass(kw_only=True)
class BlockReader:
    """Reads the block tokens of one issue."""

    inline: InlineReader

    def __post_init__(self) -> None:
        self._anchors = count(1)

    @property
    def notes(self) -> Notes:
        """Where problems go."""
        return self.inline.notes

    def read(self, node: SyntaxTreeNode) -> Blocks:
        """The blocks below `node`, conditions nested and items gathered."""
        pieces: list[Block | Tag] = []
        for child in node.children:
            place = _place(child)
            pieces.extend(_placed(piece, place) for piece in self._convert(child))
        return gather(nest(pieces, self.notes, _alternative))

    def _convert(self, node: SyntaxTreeNode) -> Iterator[Block | Tag]:
        match node.type:
            case "paragraph":
                yield from self._paragraph(self._text(node))
            case "condition":
                yield self.inline.tags.all[node.meta["tag"]]
            case "directive":
                yield from self._directive(node)
            case "html_block":
                self._html(node)
            case "malformed":
                self._malformed(node)
            case _:
                yield self._plain(node)

    def _plain(self, node: SyntaxTreeNode) -> Block:
        match node.type:
            case "heading":
                return self._heading(node)
            case "bullet_list" | "ordered_list":
                return self._listing(node)
            case "blockquote":
                return Quote(blocks=self.read(node))
            case "hr":
                return Separator()
            case _:  # a fence, or lines indented by four blanks
                self._check_fence(node)
                words = self.inline.tags.words(node.content.rstrip("\n"), where="code")
                return Listed(children=words)

    def _text(self, node: SyntaxTreeNode) -> Inlines:
        for child in node.children:
            if child.type == "inline":
                return self.inline.read(child)
        return ()

    def _paragraph(self, raw: Inlines) -> Iterator[Block]:
        inlines = flow(raw)
        match inlines:
            case ():
                return
            case (Picture() as picture,):
                yield Figure(picture=picture)
            case (Link(children=(Picture() as picture,)) as link,):
                yield Figure(picture=picture, link=link)
            case (Choice() as only,):
                then, otherwise = self._paragraph(only.then), self._paragraph(only.otherwise)
                yield _alternative(only.condition, tuple(then), tuple(otherwise))
            case _:
                # Line ends are kept for now: an item's first line may name a paper.
                yield self._buttons(inlines) or Paragraph(children=raw)

    def _buttons(self, inlines: Inlines) -> Buttons | None:
        links = [inline for inline in inlines if isinstance(inline, Link) and inline.button]
        if not links:
            return None
        rest = tuple(inline for inline in inlines if inline not in links)
        if shows(rest):
            self.notes.add(
                Rule.MISPLACED_BUTTON,
                links[0].place,
                "a button stands in the middle of text",
                "put it in a paragraph of its own, or remove {.button}",
            )
        return Buttons(links=tuple(links))

    def _heading(self, node: SyntaxTreeNode) -> Block:
        place = _place(node)
        inlines = flow(self._text(node))
        if not inlines:
            self.notes.add(
                Rule.EMPTY_HEADING, place, "this heading is empty", "write its text or remove it"
            )
        if node.markup in ("-", "="):
            self.notes.add(
                Rule.ACCIDENTAL_HEADING,
                place,
                f"the line of {node.markup} below makes this text a heading",
                "put an empty line between them, or write ## before it",
            )
        if item := heading_item(inlines):
            return item
        level = int(node.tag[1:])
        if level > 2:
            return Subheading(children=inlines, level=level)
        number, inlines = _numbered(inlines)
        anchor = f"section-{next(self._anchors)}"
        return Section(children=inlines, number=number, anchor=anchor, place=place)

    def _listing(self, node: SyntaxTreeNode) -> Listing:
        start = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        return Listing(items=tuple(self.read(item) for item in node.children), start=start)

    def _html(self, node: SyntaxTreeNode) -> None:
        opening = node.content.rfind("<!--")
        if opening >= 0 and "-->" not in node.content[opening:]:
            line = node.content.count("\n", 0, opening)
            self.notes.add(
                Rule.RAW_HTML,
                Place(line=_place(node).line + line, column=1),
                "this comment is not closed: all below it is left out",
                "close it with -->",
            )
        rest = re.sub(r"<!--.*?(?:-->|\Z)", "", node.content, flags=re.DOTALL).strip()
        if rest:
            place = _place(node)
            shown = rest.split("\n", 1)[0][:40]
            self.notes.add(
                Rule.RAW_HTML,
                place,
                f"HTML can't stand in an issue: {shown}",
                "use Markdown instead",
            )

    def _check_fence(self, node: SyntaxTreeNode) -> None:
        first, end = node.map or (0, 0)
        last = self.inline.lines[end - 1].lstrip("> \t") if end - 1 > first else ""
        if node.type == "fence" and not last.startswith(node.markup):
            self.notes.add(
                Rule.LEFTOVER_MARKUP,
                _place(node),
                f"this {node.markup} is not closed: all below it is code",
                f"close it with a line {node.markup}",
            )

    def _malformed(self, node: SyntaxTreeNode) -> None:
        text = node.content.strip()
        if set(text) == {":"}:
            message, remedy = "this ::: closes nothing", "remove it"
        else:
            message = f"{text[:40]!r} is no directive"
            remedy = "write it like ::toc[Title], or begin the line with \\::"
        self.notes.add(Rule.DIRECTIVE, _place(node), message, remedy)

    def _directive(self, node: SyntaxTreeNode) -> Iterator[Block]:
        name, leaf = str(node.meta["name"]), bool(node.meta["leaf"])
        colons = "::" if leaf else ":::"
        known = LEAVES if leaf else CONTAINERS
        place = _place(node)
        if name not in known:
            other = CONTAINERS if leaf else LEAVES
            close = difflib.get_close_matches(name, known, n=1)
            remedy = f"there are {', '.join(colons + each for each in known)}"
            if name in other:
                remedy = f"write {':::' if leaf else '::'}{name}"
            elif close:
                remedy = f"did you mean {colons}{close[0]}?"
            self.notes.add(Rule.DIRECTIVE, place, f"unknown directive {colons}{name}", remedy)
            return
        if not node.meta["closed"]:
            self.notes.add(
                Rule.DIRECTIVE, place, f":::{name} is not closed", "end it with a line :::"
            )
        yield from self._leaf(node, name, place) if leaf else self._container(node, name, place)

    def _leaf(self, node: SyntaxTreeNode, name: str, place: Place) -> Iterator[Block]:
        label = flow(self._text(node))
        if name in ("byline", "about", "subscribe") and not shows(label):
            self.notes.add(Rule.DIRECTIVE, place, f"::{name} has no text", f"write ::{name}[…]")
        elif name == "toc":
            yield Contents(title=label)
        elif name == "byline":
            yield Byline(children=label)
        elif name == "about":
            yield About(blocks=(Paragraph(children=label),))
        else:
            url = node.meta["url"]
            link = self.inline.target(str(url), place) if url is not None else None
            yield Subscribe(children=label, link=link)
        if name != "subscribe" and node.meta["url"] is not None:
            self.notes.add(
                Rule.DIRECTIVE, place, f"::{name} takes no (address)", "put the link inside the […]"
            )

    def _container(self, node: SyntaxTreeNode, name: str, place: Place) -> Iterator[Block]:
        label: Inlines = ()
        if node.meta["label"]:
            label = flow(self._text(node))
        inner = SyntaxTreeNode()
        inner.children = [child for child in node.children if child.type != "inline"]
        blocks = self.read(inner)
        if name == "card":
            yield from card(blocks, label, place, self.notes)
        elif not blocks:
            self.notes.add(
                Rule.DIRECTIVE, place, f":::{name} is empty", "write its text, or remove it"
            )
        elif name == "highlights":
            yield Highlights(title=label, blocks=blocks)
        else:
            yield About(blocks=blocks)


def _alternative(condition: Expression, then: Blocks, otherwise: Blocks) -> Block:
    return Alternative(condition=condition, then=gather(then), otherwise=gather(otherwise))


def _numbered(inlines: Inlines) -> tuple[int | None, Inlines]:
    first: Inline | None = inlines[0] if inlines else None
    if isinstance(first, Text) and (match := _NUMBER.match(first.text)):
        rest = Text(text=first.text[match.end() :])
        return int(match.group(1)), settle((rest, *inlines[1:]))
    return None, inlines


def _placed(piece: Block | Tag, place: Place) -> Block | Tag:
    """A block that knows where it stands."""
    match piece:
        case Tag():
            return piece
        case Alternative(then=then, otherwise=otherwise):
            below = (_all_placed(then, place), _all_placed(otherwise, place))
            return replace(piece, then=below[0], otherwise=below[1])
    return replace(piece, place=place)


def _all_placed(blocks: Blocks, place: Place) -> Blocks:
    return tuple(b for b in (_placed(each, place) for each in blocks) if not isinstance(b, Tag))


def _place(node: SyntaxTreeNode) -> Place:
    return Place(line=node.map[0] + 1 if node.map else 1, column=1)
