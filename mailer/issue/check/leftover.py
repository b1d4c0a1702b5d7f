"""Marks of Markdown, of blocks and of other systems that stand in the text as they were typed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailer.issue.blocks import CONTAINERS, LEAVES
from mailer.issue.check.seek import seek
from mailer.issue.check.spans import Span, spans
from mailer.issue.model import ParsedIssue
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule

_ADDRESS = r"(?:https?:|mailto:|www\.)"
_FIELD = 'write {{ subscriber.name | default("…") }}, or another field that there is'


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """What was typed, what it did not become, and how it is written."""

    pattern: re.Pattern[str]
    message: str
    remedy: str
    rule: Rule = Rule.LEFTOVER_MARKUP
    #: Only at the beginning of a block.
    first: bool = False
    #: What stands around it in the source, where Markdown took it for its own.
    around: str = ""


def _mark(pattern: str, message: str, remedy: str, *, first: bool = False) -> _Mark:
    return _Mark(pattern=re.compile(pattern), message=message, remedy=remedy, first=first)


def _foreign(pattern: str) -> _Mark:
    return _Mark(
        pattern=re.compile(pattern, re.IGNORECASE),
        message="another system's merge field",
        remedy=_FIELD,
        rule=Rule.FOREIGN_FIELD,
    )


#: The first of them that fits a piece of text is the one that is told.
MARKS = (
    _Mark(
        pattern=re.compile(r"(?<!\w)\|[A-Z][A-Z0-9_:]+\|(?!\w)"),
        message="another system's merge field",
        remedy=_FIELD,
        rule=Rule.FOREIGN_FIELD,
        around="*",
    ),
    _foreign(r"%%[\w.]+%%|%recipient[._]\w+%|\{\$[\w.]+\}|\$\{[\w.]+\}"),
    _foreign(r"%(?:first|last|full|user)?_?name%|%email%"),
    _foreign(r"\[\[\s*[\w.]+\s*\]\]|\[(?:first|last|full)[ _-]?name\]|<<[\w .]+>>"),
    _foreign(
        r"\{\s*(?:(?:subscriber|newsletter|issue|user|contact)\.[\w.]+"
        r"|(?:first|last|full)?[ _]?name|email)\s*(?:\|[^{}]*)?\}"
    ),
    _mark(
        rf"\[[^\[\]]+\][ \t]+\({_ADDRESS}[^\s()]*\)",
        "a blank keeps this from being a link",
        "write (address) right behind [text]",
    ),
    _mark(
        r"\[[^\[\]]+\]\([^()]*\s[^()]*\)",
        "a blank in its address keeps this from being a link",
        "write %20 for it, or remove it",
    ),
    _mark(
        rf"\([^()]+\)\[{_ADDRESS}[^\[\]]+\]",
        "this link's brackets are the wrong way round",
        "write [text](address)",
    ),
    _mark(rf"\]\(\s*{_ADDRESS}", "this link is not closed", "write [text](address)"),
    _mark(
        r"\[\^[\w-]+\]",
        "this is no footnote: mail has no place for them",
        "say it in brackets, or in a paragraph of its own",
    ),
    _mark(
        r"(?<![\w\])])\[[^\[\]]+\]\[[^\[\]]*\]",
        "this is no link: nothing says where it leads",
        "write [text](https://…)",
    ),
    _mark(
        r"\[\d{4}\.(?:\d{1,3}|\d{6,})\]",
        "this is no arXiv id",
        "write it like [2108.02774], as the paper's page does",
        first=True,
    ),
    _mark(r"<!--", "this comment is not closed", "close it with -->"),
    _mark(r"#{2,6}(?=[^\s#])", "this is no heading", "write a blank behind the #", first=True),
    _mark(r"[•▪◦‣]\s", "this is no list", "begin each line of it with - and a blank", first=True),
    _mark(
        r"\|[ \t]*:?-{2,}:?[ \t]*\|",
        "this is no table: mail has no place for them",
        "write a list, or show an image of it",
    ),
    _mark(
        rf":::?(?={'|'.join((*LEAVES, *CONTAINERS))})[\w-]+",
        "this block stands in the middle of text",
        "begin a line of its own with it",
    ),
    _mark(
        r"(?<![\w*])\*\*(?=\S)|(?<=\S)\*\*(?![\w*])|(?<!\S)\*\*(?!\S)|(?<!~)~~(?!~)",
        "this opens or closes nothing",
        "write it on both sides, right beside the words, or \\ before it",
    ),
    _mark(r"`", "this opens or closes no code", "write ` on both sides, or \\ before it"),
    _mark(r"&[A-Za-z]{2,10};", "there is no such character", "write the character itself"),
)
_ATTRIBUTE = re.compile(r"\{[.#:][\w.#: -]*\}?")


def check(issue: ParsedIssue, notes: Notes) -> None:
    """Note what readers would see of how the issue is written."""
    heads = ((issue.front.subject, "subject"), (issue.front.preheader, "preheader"))
    for inlines, name in heads:
        for span in spans(inlines, issue.front.place(name)):
            _report(span, issue, notes, [each for each in MARKS if each.rule is Rule.FOREIGN_FIELD])
    for span in spans(issue.blocks):
        _report(span, issue, notes, MARKS)
        _check_attribute(span, issue, notes)


def _report(
    span: Span, issue: ParsedIssue, notes: Notes, marks: tuple[_Mark, ...] | list[_Mark]
) -> None:
    for mark, found in _found(span, marks):
        # What is not in the source as it is shown was written with a \, and is meant.
        found = f"{mark.around}{found}{mark.around}"
        place = seek(issue.source, found, span.block)
        if place is not None:
            shown = found if len(found) <= 60 else found[:59] + "…"
            notes.add(mark.rule, place, f"{shown!r}: {mark.message}", mark.remedy)
            return


def _found(span: Span, marks: tuple[_Mark, ...] | list[_Mark]) -> Iterator[tuple[_Mark, str]]:
    for mark in marks:
        if mark.first and not span.first:
            continue
        match = mark.pattern.match(span.text) if mark.first else mark.pattern.search(span.text)
        if match is not None:
            yield mark, match.group()


def _check_attribute(span: Span, issue: ParsedIssue, notes: Notes) -> None:
    """`{.button}` is all that can stand behind a link, and only right behind it."""
    for match in _ATTRIBUTE.finditer(span.text):
        place = seek(issue.source, match.group(), span.block)
        if place is None:
            continue
        if match.group() == "{.button}":
            remedy = "write it right behind a link: [text](address){.button}"
        elif difflib.get_close_matches(match.group(), ["{.button}"]):
            remedy = "did you mean {.button}?"
        else:
            remedy = "remove it: there is only {.button}, behind a link"
        message = f"{match.group()!r} stands in the text"
        notes.add(Rule.LEFTOVER_MARKUP, place, message, remedy)
