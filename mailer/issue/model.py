"""An issue as typed values: front matter, blocks, inline text, and the problems found in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from mailer.issue.expression import Expression
from mailer.issue.rules import Rule, Severity


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in an issue file and how to mend it; line and column count from 1."""

    path: str
    line: int
    column: int
    rule: Rule
    message: str
    remedy: str

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.rule.severity

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}"
        return f"{where}: {self.severity}: {self.message}; {self.remedy} [{self.rule}]"


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A line and column of the issue file, both from 1."""

    line: int
    column: int


#: Where a file begins: the place of what has no other.
START = Place(line=1, column=1)


# --- inline -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Text:
    """Words, with nothing left to interpret in them."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Merge:
    """A merge field: what `{{ … }}` holds."""

    expression: Expression
    place: Place


@dataclass(frozen=True, kw_only=True)
class Choice:
    """`{% if … %}…{% else %}…{% endif %}` inside text."""

    condition: Expression
    then: Inlines
    otherwise: Inlines = ()


@dataclass(frozen=True, kw_only=True)
class Strong:
    """Bold text."""

    children: Inlines


@dataclass(frozen=True, kw_only=True)
class Emphasis:
    """Italic text."""

    children: Inlines


@dataclass(frozen=True, kw_only=True)
class Struck:
    """Text that is struck through."""

    children: Inlines


@dataclass(frozen=True, kw_only=True)
class Code:
    """Text in a fixed-width font."""

    children: Inlines


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link; `button` when the author wrote `{.button}` behind it."""

    url: Words
    children: Inlines
    place: Place
    button: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image with an absolute URL; an empty `alt` says that it is decoration."""

    url: Words
    alt: Words
    place: Place


@dataclass(frozen=True, kw_only=True)
class LineBreak:
    """A line end that the author asked for."""


#: Text in which only merge fields may stand: a URL, an alternative text.
Words: TypeAlias = tuple[Text | Merge, ...]
Inline: TypeAlias = (
    Text | Merge | Choice | Strong | Emphasis | Struck | Code | Link | Picture | LineBreak
)
Inlines: TypeAlias = tuple[Inline, ...]


# --- blocks -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Byline:
    """Who wrote the issue, and when: `::byline[…]`."""

    children: Inlines
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Highlights:
    """The best of the issue, set apart at its top: `:::highlights[Title]`."""

    title: Inlines
    blocks: Blocks
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The table of contents: `::toc[Title]`; its entries are the issue's numbered sections."""

    title: Inlines
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading of the first or second level; `number` where the author wrote `1. Title`."""

    children: Inlines
    number: int | None
    anchor: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class Subheading:
    """A heading of the third level or below that is not an item."""

    children: Inlines
    level: int
    place: Place = field(default=START, compare=False)


class ItemKind(StrEnum):
    """What an item points at."""

    ARTICLE = "article"
    #: A paper with an arXiv id.
    PAPER = "paper"
    #: A post on a social network.
    POST = "post"


@dataclass(frozen=True, kw_only=True)
class Item:
    """A curated link: a heading that is nothing but a link, and what is said about it.

    `domain` is the link's host without `www.`; `reference` and `paper` are the arXiv id and the
    paper's title from a first line `[2108.02774] Sketch Your Own GAN`.
    """

    link: Link
    kind: ItemKind
    domain: str
    reference: str | None
    paper: Inlines
    picture: Picture | None
    blocks: Blocks
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A preview of a linked page: `:::card`."""

    link: Link
    description: Inlines
    domain: str
    picture: Picture | None
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Subscribe:
    """A call to subscribe, for those to whom the issue was passed on: `::subscribe[…]`."""

    children: Inlines
    link: Link | None
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class About:
    """Who is behind the newsletter: `::about[…]` or `:::about`."""

    blocks: Blocks
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """Running text."""

    children: Inlines
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Buttons:
    """One or several buttons in a row: a paragraph of `[Text](url){.button}`."""

    links: tuple[Link, ...]
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """An image that stands alone, perhaps as a link."""

    picture: Picture
    link: Link | None = None
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list; `start` is the first number of an ordered one."""

    items: tuple[Blocks, ...]
    start: int | None = None
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Quote:
    """Somebody else's words."""

    blocks: Blocks
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Preformatted lines, such as code."""

    children: Inlines
    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Separator:
    """`---`."""

    place: Place = field(default=START, compare=False)


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """`{% if … %}`, `{% else %}` and `{% endif %}` on lines of their own, around whole blocks."""

    condition: Expression
    then: Blocks
    otherwise: Blocks = ()


Block: TypeAlias = (
    Byline
    | Highlights
    | Contents
    | Section
    | Subheading
    | Item
    | Card
    | Subscribe
    | About
    | Paragraph
    | Buttons
    | Figure
    | Listing
    | Quote
    | Listed
    | Separator
    | Alternative
)
Blocks: TypeAlias = tuple[Block, ...]


# --- the whole ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Off:
    """A rule that the author switched off for this issue, where, and the reason given."""

    rule: Rule
    reason: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class FrontMatter:
    """What stands between the two `---` lines at the top of an issue.

    `utm` holds parameter names with their prefix (`utm_source`) and the values to set;
    `embed_images` puts images beside the issue inside each message; `off` names the rules that
    are not to be checked, and why; `places` where each key stands.
    """

    subject: Inlines
    preheader: Inlines = ()
    number: int | None = None
    date: date | None = None
    lang: str | None = None
    utm: tuple[tuple[str, str], ...] = ()
    canonical_url: str | None = None
    embed_images: bool = False
    off: tuple[Off, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)

    def place(self, key: str) -> Place:
        """Where a key's value stands; the top where it does not."""
        return self.places.get(key, START)


@dataclass(frozen=True, kw_only=True)
class ParsedIssue:
    """One issue, understood; `warnings` are problems that do not stop it."""

    path: str
    source: str
    front: FrontMatter
    blocks: Blocks
    warnings: tuple[Problem, ...] = field(default=())

    @property
    def nonce(self) -> str:
        """Twelve lower-case hex digits that depend on the source alone: builds are repeatable."""
        return nonce_of(self.source)


def nonce_of(source: str) -> str:
    """The nonce of an issue with this source; nobody can write a text that holds its own."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:12]
