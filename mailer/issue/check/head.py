"""What an inbox shows of an issue before it is opened: number, subject, preheader."""

from __future__ import annotations

from mailer.issue.model import Choice, FrontMatter, Inlines, Merge, Text
from mailer.issue.problems import Notes
from mailer.issue.readers import Readers, longest
from mailer.issue.rules import Rule

#: Phones show about so many characters of a subject and of a preheader.
MAX_SUBJECT = 90
MAX_PREHEADER = 140


def check(front: FrontMatter, notes: Notes, readers: Readers) -> None:
    """Note what is missing or too long."""
    if front.number is None:
        notes.add(
            Rule.MISSING_NUMBER,
            front.place("number"),
            "the issue has no number",
            "add number: 1 to the front matter",
        )
    if not front.preheader:
        notes.add(
            Rule.MISSING_PREHEADER,
            front.place("preheader"),
            "the issue has no preheader",
            "add preheader: … to the front matter; inboxes show it behind the subject",
        )
    elif _said(front.preheader) == _said(front.subject):
        notes.add(
            Rule.MISSING_PREHEADER,
            front.place("preheader"),
            "the preheader says what the subject says",
            "write something else: inboxes show both in one line",
        )
    for rule, name, inlines, limit in (
        (Rule.SUBJECT_LENGTH, "subject", front.subject, MAX_SUBJECT),
        (Rule.PREHEADER_LENGTH, "preheader", front.preheader, MAX_PREHEADER),
    ):
        length = _length(inlines, readers)
        if length > limit:
            with_ = " with the longest values in it" if _varies(inlines) else ""
            notes.add(
                rule,
                front.place(name),
                f"the {name} has {length} characters{with_}",
                f"keep it below {limit}: more is cut",
            )


def _said(inlines: Inlines) -> list[object]:
    """A line as it is compared: words without capitals, fields by what they ask for."""
    return [
        each.text.casefold().strip(" .!") if isinstance(each, Text) else _asked(each)
        for each in inlines
    ]


def _asked(inline: object) -> object:
    return inline.expression.source if isinstance(inline, Merge) else inline


def _varies(inlines: Inlines) -> bool:
    return not all(isinstance(each, Text) for each in inlines)


def _length(inlines: Inlines, readers: Readers) -> int:
    """How many characters there are at most; what is the same for all counts as nothing here."""
    total = 0
    for inline in inlines:
        match inline:
            case Text(text=text):
                total += len(text)
            case Merge(expression=expression):
                total += len(longest(expression, readers, {}))
            case Choice(then=then, otherwise=otherwise):
                total += max(_length(then, readers), _length(otherwise, readers))
    return total
