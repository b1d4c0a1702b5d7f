"""The plain-text part, from the same blocks as the HTML: `title <url>`, no hard wrap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailer.issue.model import (
    About,
    Alternative,
    Block,
    Blocks,
    Buttons,
    Byline,
    Card,
    Choice,
    Code,
    Contents,
    Emphasis,
    Figure,
    Highlights,
    Inline,
    Inlines,
    Item,
    LineBreak,
    Link,
    Listed,
    Listing,
    Merge,
    Paragraph,
    ParsedIssue,
    Picture,
    Quote,
    Section,
    Separator,
    Strong,
    Struck,
    Subheading,
    Subscribe,
    Text,
    Words,
)
from mailer.render.links import address
from mailer.render.mjml import contents
from mailer.render.model import Escape, NewsletterLook, SystemSlot
from mailer.render.slots import SlotBook
from mailer.render.theme import spoken_date

_RULE = "- - -"
#: Of one length: how wide a title is that greets somebody is not known yet.
_UNDERLINE = "=" * 24


@dataclass(frozen=True, kw_only=True)
class PlainText:
    """Writes an issue as plain text; every block ends with an empty line."""

    book: SlotBook
    utm: tuple[tuple[str, str], ...]
    say: Mapping[str, str]
    entries: tuple[Section, ...]

    # --- inline ---

    def inlines(self, inlines: Inlines) -> str:
        """A run of text."""
        return "".join(self._one(inline) for inline in inlines)

    def _one(self, inline: Inline) -> str:
        match inline:
            case Text(text=text):
                return text
            case Merge(expression=expression):
                return self.book.value(expression, Escape.TEXT)
            case Choice():
                return self.book.branch(inline, self.inlines)
            case Link():
                return self._link(inline)
            case Picture():
                return self._alt(inline)
            case LineBreak():
                return "\n"
            case Strong() | Emphasis() | Struck() | Code():
                return self.inlines(inline.children)

    def _link(self, link: Link) -> str:
        url = self._url(link.url)
        words = self.inlines(link.children)
        return f"<{url}>" if words == url or not words else f"{words} <{url}>"

    def _url(self, url: Words) -> str:
        return address(url, self.book, whole=Escape.TEXT, utm=self.utm)

    def _alt(self, picture: Picture) -> str:
        words = self.inlines(picture.alt)
        return f"[{words}]" if words.strip() else ""

    # --- blocks ---

    def blocks(self, blocks: Blocks) -> str:
        """Blocks below each other; each ends with an empty line."""
        return "".join(self._block(block) for block in blocks)

    def _block(self, block: Block) -> str:
        if isinstance(block, Alternative):
            return self.book.branch(block, self.blocks)
        text = "\n".join(line for line in self._lines(block) if line)
        return text.rstrip("\n") + "\n\n" if text else ""

    def _lines(self, block: Block) -> Iterator[str]:
        match block:
            case Paragraph() | Byline() | Listed():
                yield self.inlines(block.children)
            case Section() | Subheading():
                yield self._heading(block)
            case Separator():
                yield _RULE
            case Figure():
                yield self._figure(block)
            case Buttons(links=links):
                yield "\n".join(f"→ {self._link(link)}" for link in links)
            case Listing():
                yield self._listing(block)
            case Quote(blocks=blocks):
                yield _indent(self.blocks(blocks), "> ")
            case _:
                yield from self._special(block)

    def _special(self, block: Block) -> Iterator[str]:
        match block:
            case Item():
                yield from self._item(block)
            case Card():
                yield self._link(block.link)
                yield self.inlines(block.description)
            case Contents(title=title):
                yield self.inlines(title) or self.say["contents"]
                yield from (self._entry(entry) for entry in self.entries)
            case Highlights(title=title, blocks=blocks):
                if title:
                    yield f"* {self.inlines(title)} *\n"
                yield self.blocks(blocks)
            case Subscribe(children=children, link=link):
                yield self.inlines(children)
                if link:
                    yield f"→ {self.say['subscribe']} <{self._url(link.url)}>"
            case About(blocks=blocks):
                yield self.blocks(blocks)

    def _heading(self, block: Section | Subheading) -> str:
        words = self.inlines(block.children)
        if isinstance(block, Subheading):
            return f"## {words}"
        title = words if block.number is None else f"{block.number}. {words}"
        return f"{title}\n{_UNDERLINE}"

    def _entry(self, section: Section) -> str:
        number = "-" if section.number is None else f"{section.number}."
        return f"  {number} {self.inlines(section.children)}"

    def _figure(self, figure: Figure) -> str:
        alt = self._alt(figure.picture)
        return f"{alt} <{self._url(figure.link.url)}>" if figure.link else alt

    def _item(self, item: Item) -> Iterator[str]:
        yield f"* {self._link(item.link)}"
        if item.reference:
            paper = self.inlines(item.paper)
            yield f"[{item.reference}] {paper}".rstrip() if paper else f"[{item.reference}]"
        if item.picture:
            yield self._alt(item.picture)
        yield self.blocks(item.blocks)

    def _listing(self, listing: Listing) -> str:
        lines = []
        for index, item in enumerate(listing.items):
            bullet = "- " if listing.start is None else f"{listing.start + index}. "
            lines.append(_indent(self.blocks(item), " " * len(bullet), first=bullet))
        return "\n".join(lines)


def _indent(text: str, prefix: str, *, first: str | None = None) -> str:
    lines = text.rstrip("\n").split("\n")
    done = [f"{prefix}{line}".rstrip() for line in lines]
    done[0] = f"{prefix if first is None else first}{lines[0]}".rstrip()
    return "\n".join(done)


def plain_text(
    issue: ParsedIssue,
    look: NewsletterLook,
    book: SlotBook,
    *,
    say: Mapping[str, str],
    lang: str,
) -> str:
    """The whole text part, head and foot included."""
    writer = PlainText(book=book, utm=issue.front.utm, say=say, entries=contents(issue.blocks))
    head = [look.name]
    if issue.front.number is not None:
        head.append(say["issue"].replace("{number}", str(issue.front.number)))
    if issue.front.date:
        head.append(spoken_date(issue.front.date, lang))
    archive = book.system(SystemSlot.ARCHIVE_URL, Escape.TEXT)
    body = writer.blocks(issue.blocks).strip("\n")
    unsubscribe = book.system(SystemSlot.UNSUBSCRIBE_URL, Escape.TEXT)
    foot = [
        look.about or say["why"].replace("{name}", look.name),
        f"{say['unsubscribe']} <{unsubscribe}>",
        "",
        f"{look.name} · {' · '.join(look.postal_address.split(chr(10)))}",
    ]
    parts = [" · ".join(head), f"{say['view']} <{archive}>", "", body, "", "--", *foot]
    return "\n".join(parts) + "\n"
