"""Merge fields and conditions in the source, exchanged for marks that Markdown leaves alone.

`[x](https://e/?u={{ subscriber.id }})` is no link to a Markdown parser, because of the blanks; so
each `{{ … }}` and `{% … %}` becomes a word of ASCII letters and digits before Markdown is read,
and is found again in the text of its tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from mailer.issue.expression import Expression, ExpressionInvalid, parse
from mailer.issue.model import Merge, Place, Text, Words
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule


class TagKind(StrEnum):
    """What a tag does."""

    FIELD = "field"
    IF = "if"
    ELIF = "elif"
    ELSE = "else"
    END = "endif"
    #: A tag that was wrong and has been reported; it stands for nothing.
    VOID = "void"


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One `{{ … }}` or `{% … %}` of the source."""

    kind: TagKind
    place: Place
    expression: Expression | None = None


@dataclass(frozen=True, kw_only=True)
class _Shift:
    """On one line, what begins at `marked` stands `by` further right in the source."""

    marked: int
    by: int


_CLOSING = {"{{": "}}", "{%": "%}"}
_OPENING = re.compile(r"\{\{|\{%|\{#|<!--")
_CONDITION = re.compile(r"(if|elif)\s+(.+)|(else|endif)", re.DOTALL)
_BARE = {"else": TagKind.ELSE, "endif": TagKind.END}


@dataclass(kw_only=True)
class Tags:
    """All tags of one issue, and the marks that stand for them."""

    nonce: str
    notes: Notes
    all: list[Tag] = field(default_factory=list)
    _shifts: dict[int, list[_Shift]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._mark = re.compile(rf"zq{self.nonce}t(\d+)z")
        self._lone = re.compile(rf"[ \t]*zq{self.nonce}t(\d+)z[ \t]*")

    def exchange(self, text: str, *, first: Place) -> str:
        """`text` with marks for tags; line ends stay where they are. `first` is its place."""
        lines = _Lines(first=first)
        pieces: list[str] = []
        done = 0
        while match := _OPENING.search(text, done):
            opening, start = match.group(), match.start()
            pieces.append(text[done:start])
            lines.advance(text, done, start)
            if opening == "<!--":
                end = text.find("-->", start)
                # One that is not closed hides no field: a paragraph may speak of `<!--`.
                done = start + 4 if end < 0 else end + 3
                pieces.append(text[start:done])
                lines.advance(text, start, done)
                continue
            done = self._read(text, start, opening, lines.place)
            tag = text[start:done]
            mark = self._mark_of_last()
            pieces.append(mark)
            lines.advance(text, start, done)
            self._remember(lines.place, len(tag) - len(mark))
        return "".join(pieces) + text[done:]

    def _read(self, text: str, start: int, opening: str, place: Place) -> int:
        """Read the tag at `start` into `all`; where it ends."""
        if opening == "{#":
            self.notes.add(
                Rule.MERGE_FIELD, place, "Jinja comments are not known", "write <!-- comment -->"
            )
            self.all.append(Tag(kind=TagKind.VOID, place=place))
            return start + 2
        end = _end_of_tag(text, start + 2, _CLOSING[opening])
        if end is None:
            self.notes.add(
                Rule.MERGE_FIELD,
                place,
                f"this {opening} is never closed",
                f"close it with {_CLOSING[opening]} on the same line",
            )
            self.all.append(Tag(kind=TagKind.VOID, place=place))
            # Nothing more is looked for on this line: each look would reach its end again.
            line_end = text.find("\n", start)
            return len(text) if line_end < 0 else line_end
        inner = text[start + 2 : end].strip("-").strip()
        self.all.append(self._tag(opening, inner, place))
        return end + 2

    def _tag(self, opening: str, inner: str, place: Place) -> Tag:
        kind, source = TagKind.FIELD, inner
        if opening == "{%":
            match = _CONDITION.fullmatch(inner)
            if match is None:
                self.notes.add(Rule.MERGE_FIELD, place, *_unknown(inner))
                return Tag(kind=TagKind.VOID, place=place)
            if match.group(3):
                return Tag(kind=_BARE[match.group(3)], place=place)
            kind, source = TagKind(match.group(1)), match.group(2)
        try:
            return Tag(kind=kind, place=place, expression=parse(source))
        except ExpressionInvalid as exc:
            self.notes.add(Rule.MERGE_FIELD, place, exc.message, exc.remedy)
            # A condition stays one, so that its endif is not reported too.
            broken = parse("''")
            if kind is TagKind.FIELD:
                return Tag(kind=TagKind.VOID, place=place)
            return Tag(kind=kind, place=place, expression=broken)

    def _mark_of_last(self) -> str:
        return f"zq{self.nonce}t{len(self.all) - 1}z"

    def _remember(self, place: Place, longer: int) -> None:
        shifts = self._shifts.setdefault(place.line, [])
        by = longer + (shifts[-1].by if shifts else 0)
        shifts.append(_Shift(marked=place.column - by, by=by))

    def column(self, line: int, column: int) -> int:
        """The column in the source of what stands at `column` among the marks."""
        by = 0
        for shift in self._shifts.get(line, []):
            if shift.marked <= column:
                by = shift.by
        return column + by

    def lone(self, line: str) -> int | None:
        """The number of the tag that stands alone on this line, if it is a condition's."""
        match = self._lone.fullmatch(line)
        if match is None:
            return None
        number = int(match.group(1))
        return None if self.all[number].kind in (TagKind.FIELD, TagKind.VOID) else number

    def split(self, text: str) -> Iterator[str | Tag]:
        """The text and the tags in it, in order."""
        for index, piece in enumerate(self._mark.split(text)):
            if index % 2:
                yield self.all[int(piece)]
            elif piece:
                yield piece

    def words(self, text: str, *, where: str) -> Words:
        """Text in which only merge fields may stand; `where` names it in the problem."""
        words: list[Text | Merge] = []
        for piece in self.split(text):
            if isinstance(piece, str):
                words.append(Text(text=piece))
            elif piece.kind is TagKind.FIELD and piece.expression:
                words.append(Merge(expression=piece.expression, place=piece.place))
            elif piece.kind is not TagKind.VOID:
                self.notes.add(
                    Rule.CONDITION,
                    piece.place,
                    f"a condition can't stand in {where}",
                    "put the condition around the whole of it",
                )
        return tuple(words)

    def plain(self, text: str) -> str:
        """The text without its tags."""
        return self._mark.sub("", text)


@dataclass(kw_only=True)
class _Lines:
    """Line and column while one walks through a text."""

    first: Place

    def __post_init__(self) -> None:
        self.place = self.first

    def advance(self, text: str, start: int, end: int) -> None:
        ends = text.count("\n", start, end)
        if ends:
            column = end - text.rfind("\n", start, end)
            self.place = Place(line=self.place.line + ends, column=column)
        else:
            self.place = Place(line=self.place.line, column=self.place.column + end - start)


def _unknown(inner: str) -> tuple[str, str]:
    """What is wrong with a tag that is none, and how it is written."""
    if re.match(r"(?:else\s*if|elsif)\b", inner):
        return f"{inner[:30]!r} is no tag", "write {% elif … %}"
    word = inner.split(maxsplit=1)[0] if inner else ""
    if word in ("else", "endif"):
        return f"nothing can stand behind {word}", f"write {{% {word} %}}"
    if word in ("if", "elif"):
        return f"this {word} asks for nothing", f"write {{% {word} subscriber.name %}}"
    return f"unknown tag {word!r}", "there are if, elif, else and endif"


def _end_of_tag(text: str, start: int, closing: str) -> int | None:
    """Where the closing braces stand, outside quotes and on the same line."""
    quote = ""
    for index in range(start, len(text)):
        char = text[index]
        if char == "\n":
            return None
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif text.startswith(closing, index):
            return index
    return None
