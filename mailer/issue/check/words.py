"""The text of an issue: merge fields, alternative texts, and what should not stand in it."""

from __future__ import annotations

import dataclasses
import difflib
import re

from mailer.issue.check.seek import place_of
from mailer.issue.check.spans import Span, spans
from mailer.issue.expression import Comparison, Filtered, Joined, Literal, Logic, Name, Node
from mailer.issue.model import (
    START,
    Alternative,
    Choice,
    Merge,
    ParsedIssue,
    Picture,
    Place,
    Text,
)
from mailer.issue.problems import Notes
from mailer.issue.readers import Readers
from mailer.issue.rules import Rule

#: Nobody is without these.
SURE = frozenset({("subscriber", "email"), ("subscriber", "id")})
#: What a link that went wrong leaves behind is told as that.
_BARE_URL = re.compile(r"(?<!\]\()(?<!\] \()(?<!\)\[)https?://\S+")
_FILE_NAME = re.compile(r"[\w\s().-]+\.(?:png|jpe?g|gif|webp|svg)", re.IGNORECASE)
_NO_WORDS = frozenset(
    {"image", "img", "picture", "photo", "bild", "foto", "imagen", "图片", "画像"}
)
_PLACEHOLDER = re.compile(
    r"\b(?:TODO|FIXME|TBD|XXX)\b|\b[Ll]orem ipsum\b"
    # What `mailer init` and `mailer issue new` write down to be replaced.
    r"|say here what is in it|The subject of this issue"
    r"|One sentence that inboxes show behind the subject|The best of this issue, in one line"
)
#: Zero-width space, word joiner, byte order mark, text turned round, a character that got lost,
#: and those of private use, for which no reader has a glyph.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u202d\u202e\ufffd\ue000-\uf8ff]")
#: UTF-8 that was read as if it were Windows-1252: â€™ for ’, Ã© for é.
_GARBLED = re.compile("â€[\u0080-\u00bf™œžšŸ“”‘’˜¦¢•]|[ÃÂ][\u0080-\u00bf™œžšŸ“”‘’‹›„…†‡‰€]|ï»¿")
#: Scripts without blanks say with a zero-width space where a line may end.
_BREAKING = ("km", "lo", "my", "th")


def check_characters(issue: ParsedIssue, notes: Notes) -> None:
    """Note characters that nobody sees, or that show that something was lost."""
    breaks = (issue.front.lang or "").split("-")[0].lower() in _BREAKING
    for number, line in enumerate(issue.source.split("\n"), start=1):
        for match in _INVISIBLE.finditer(line):
            if breaks and match.group() == "\u200b":
                continue
            lost = match.group() == "\ufffd"
            notes.add(
                Rule.INVISIBLE_CHARACTER,
                Place(line=number, column=match.start() + 1),
                f"U+{ord(match.group()):04X}: " + ("a lost character" if lost else "invisible"),
                "write what stood there" if lost else "remove it",
            )
        for match in _GARBLED.finditer(line):
            notes.add(
                Rule.INVISIBLE_CHARACTER,
                Place(line=number, column=match.start() + 1),
                f"{match.group()!r}: a character that an earlier program garbled",
                "write what stood there",
            )


def check_placeholders(issue: ParsedIssue, notes: Notes) -> None:
    """Note words that say that something is still to be written, in text, headings and subject."""
    front = issue.front
    heads = ((front.subject, "subject"), (front.preheader, "preheader"))
    found = [span for inlines, name in heads for span in spans(inlines, front.place(name))]
    for span in (*found, *spans(issue.blocks)):
        for match in _PLACEHOLDER.finditer(span.text):
            notes.add(
                Rule.PLACEHOLDER,
                place_of(issue.source, match.group(), span.block),
                f"{match.group()!r} still stands in the text",
                "write what belongs there",
            )


def check_urls(issue: ParsedIssue, notes: Notes) -> None:
    """Note URLs that are no links."""
    for span in spans(issue.blocks):
        if not span.linked:
            _check_urls(span, issue, notes)


def _check_urls(span: Span, issue: ParsedIssue, notes: Notes) -> None:
    for match in _BARE_URL.finditer(span.text):
        notes.add(
            Rule.BARE_URL,
            place_of(issue.source, match.group(), span.block),
            f"{match.group()} is no link",
            "write [Text](https://…) or <https://…>",
        )


def check_node(node: object, issue: ParsedIssue, notes: Notes, readers: Readers) -> None:
    """Note what is doubtful about one node."""
    match node:
        case Picture():
            _check_alt(node, notes)
        case Merge(place=place, expression=expression):
            _check_attributes(expression.names, place, notes, readers)
        case Choice(condition=condition) | Alternative(condition=condition):
            # A condition has no place of its own: its first one in the source will do.
            place = place_of(issue.source, condition.source, START, reach=len(issue.source))
            _check_attributes(condition.names, place, notes, readers)


def check_defaults(node: object, notes: Notes, sure: frozenset[tuple[str, ...]] = SURE) -> None:
    """Note fields that may be empty; `sure` are those that nobody here lacks."""
    match node:
        case tuple():
            for each in node:
                check_defaults(each, notes, sure)
        case Choice(condition=condition) | Alternative(condition=condition):
            check_defaults(node.then, notes, sure | _asked(condition.tree))
            check_defaults(node.otherwise, notes, sure)
        case Merge(place=place, expression=expression):
            if _may_be_empty(expression.tree, sure):
                notes.add(
                    Rule.FIELD_WITHOUT_DEFAULT,
                    place,
                    f"{expression.source} is empty for those who have none",
                    f'write {{{{ {expression.source} | default("…") }}}}',
                )
        case _ if dataclasses.is_dataclass(node):
            for field in dataclasses.fields(node):
                check_defaults(getattr(node, field.name), notes, sure)


def _asked(tree: Node) -> frozenset[tuple[str, ...]]:
    """The fields that have a value wherever this condition holds."""
    match tree:
        case Name(path=path):
            return frozenset({path})
        case Joined(left=left, logic=Logic.AND, right=right):
            return _asked(left) | _asked(right)
        case Comparison(left=Name(path=path), operator="eq", right=Literal(value=value)) if value:
            return frozenset({path})
    return frozenset()


def _check_alt(picture: Picture, notes: Notes) -> None:
    words = "".join(each.text for each in picture.alt if isinstance(each, Text)).strip()
    if not picture.alt:
        message = "this image has no alternative text"
    elif len(picture.alt) == 1 and (_FILE_NAME.fullmatch(words) or words.lower() in _NO_WORDS):
        message = f"{words!r} says nothing to who can't see the image"
    else:
        return
    notes.add(Rule.MISSING_ALT, picture.place, message, "write ![what it shows](…)")


def _check_attributes(
    names: frozenset[tuple[str, ...]], place: Place, notes: Notes, readers: Readers
) -> None:
    known = readers.attributes
    if known is None:
        return
    for path in sorted(names):
        if path[:2] == ("subscriber", "attributes") and path[2] not in known:
            close = difflib.get_close_matches(path[2], list(known), n=1)
            add = f"mailer subscribers attributes add {path[2]}"
            notes.add(
                Rule.UNKNOWN_ATTRIBUTE,
                place,
                f"there is no attribute {path[2]!r}",
                f"did you mean {close[0]}?" if close else f"{add} makes it known",
            )


def _may_be_empty(tree: Node, sure: frozenset[tuple[str, ...]]) -> bool:
    """Whether the field is one that not every subscriber has, and no default is given."""
    while isinstance(tree, Filtered):
        if tree.filter == "default":
            return False
        tree = tree.operand
    return isinstance(tree, Name) and tree.path[0] == "subscriber" and tree.path not in sure
