"""Blocks in a row become items and cards: what belongs to a link is gathered under it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from mailer.issue.inline import flow, settle, shows
from mailer.issue.model import (
    Alternative,
    Block,
    Blocks,
    Buttons,
    Card,
    Figure,
    Inline,
    Inlines,
    Item,
    ItemKind,
    LineBreak,
    Link,
    Listed,
    Listing,
    Paragraph,
    Picture,
    Place,
    Quote,
    Strong,
    Text,
    Words,
)
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.urls import arxiv_id, domain

_REFERENCE = re.compile(r"\[(\d{4}\.\d{4,5})(?:v\d+)?\][ \t]*")
_POSTS = frozenset(
    {"twitter.com", "x.com", "mobile.twitter.com", "bsky.app", "threads.net", "weibo.com"}
)
_FEDIVERSE = re.compile(r"https?://[^/]+/@[^/]+/\d+")
#: What a heading above can hold; everything else ends an item.
_BELOW = (Paragraph, Figure, Listing, Quote, Listed, Card, Buttons, Alternative)


def heading_item(inlines: Inlines) -> Item | None:
    """An item, when this heading is nothing but a link."""
    match inlines:
        case (Link() as link,) if not link.button:
            return Item(
                link=link,
                kind=_kind(link.url),
                domain=domain(link.url),
                reference=arxiv_id(_text_of(link.url)),
                paper=(),
                picture=None,
                blocks=(),
            )
    return None


def _text_of(url: Words) -> str:
    return url[0].text if url and isinstance(url[0], Text) else ""


def _kind(url: Words) -> ItemKind:
    if arxiv_id(_text_of(url)):
        return ItemKind.PAPER
    if domain(url) in _POSTS or _FEDIVERSE.match(_text_of(url)):
        return ItemKind.POST
    return ItemKind.ARTICLE


def gather(blocks: Blocks) -> Blocks:
    """Each item with what stands below it, up to the next heading, separator or directive."""
    return tuple(_gather(blocks))


def _gather(blocks: Blocks) -> Iterator[Block]:
    item: Item | None = None
    for block in blocks:
        if item and _belongs(block):
            item = _take(item, block)
            continue
        if item:
            yield item
        item = block if isinstance(block, Item) else None
        if item is None:
            yield _settled(block)
    if item:
        yield item


def _belongs(block: Block) -> bool:
    if isinstance(block, Alternative):
        return all(_belongs(each) for each in (*block.then, *block.otherwise))
    return isinstance(block, _BELOW)


def _settled(block: Block) -> Block:
    return replace(block, children=flow(block.children)) if isinstance(block, Paragraph) else block


def _take(item: Item, block: Block) -> Item:
    fresh = not item.blocks
    if fresh and isinstance(block, Figure) and item.picture is None and block.link is None:
        return replace(item, picture=block.picture)
    if fresh and isinstance(block, Paragraph) and not item.paper:
        reference, paper, rest = _paper(block.children)
        if reference:
            item = replace(item, reference=reference, paper=paper, kind=ItemKind.PAPER)
            block = replace(block, children=rest)
            if not shows(rest):
                return item
    return replace(item, blocks=(*item.blocks, _settled(block)))


def _paper(inlines: Inlines) -> tuple[str | None, Inlines, Inlines]:
    """The arXiv id, the paper's title and the rest of a text that begins `[2108.02774] Title`."""
    first, rest = _first_line(inlines)
    if len(first) == 1 and isinstance(first[0], Strong):
        first = first[0].children
    head = first[0] if first else None
    match = _REFERENCE.match(head.text) if isinstance(head, Text) else None
    if match is None or not isinstance(head, Text):
        return None, (), inlines
    title = flow((Text(text=head.text[match.end() :]), *first[1:]))
    return match.group(1), title, rest


def _first_line(inlines: Inlines) -> tuple[Inlines, Inlines]:
    first: list[Inline] = []
    for index, inline in enumerate(inlines):
        after = inlines[index + 1 :]
        if isinstance(inline, LineBreak):
            return tuple(first), after
        if isinstance(inline, Text) and "\n" in inline.text:
            before, _, behind = inline.text.partition("\n")
            first.append(Text(text=before))
            return settle(tuple(first)), settle((Text(text=behind), *after))
        first.append(inline)
    return tuple(first), ()


def card(blocks: Blocks, label: Inlines, place: Place, notes: Notes) -> Iterator[Card]:
    """A card from what stands between `:::card` and `:::`: a link, perhaps an image, words."""
    inlines = list(_inlines(blocks, place, notes))
    link = next((each for each in inlines if isinstance(each, Link)), None)
    picture = next((each for each in inlines if isinstance(each, Picture)), None)
    if link is None:
        notes.add(
            Rule.DIRECTIVE,
            place,
            "this card has no link",
            "write [Title](https://…) in its first line",
        )
        return
    rest = tuple(each for each in inlines if each is not link and each is not picture)
    shown = "".join(each.text for each in label if isinstance(each, Text))
    yield Card(
        link=link,
        description=flow(rest),
        domain=shown or domain(link.url),
        picture=picture,
    )


def _inlines(blocks: Blocks, place: Place, notes: Notes) -> Iterator[Inline]:
    for block in blocks:
        match block:
            case Item(link=link):
                yield link
                yield Text(text="\n")
                yield from _inlines(block.blocks, place, notes)
            case Paragraph(children=children):
                yield from children
                yield Text(text="\n")
            case Figure(picture=picture, link=None):
                yield picture
            case _:
                notes.add(
                    Rule.DIRECTIVE,
                    place,
                    "a card holds only a link, an image and text",
                    "move the rest below the card",
                )
