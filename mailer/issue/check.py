"""Everything that can be said about an issue file before it is rendered."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from mailer.issue.expression import Filtered, Name, Node
from mailer.issue.model import (
    Contents,
    FrontMatter,
    Merge,
    Paragraph,
    ParsedIssue,
    Picture,
    Place,
    Problem,
    Section,
    Text,
)
from mailer.issue.parse import examine
from mailer.issue.problems import Notes

#: Phones show about so many characters of a subject and of a preheader.
MAX_SUBJECT = 90
MAX_PREHEADER = 140
_TOP = Place(line=1, column=1)
_BARE_URL = re.compile(r"https?://\S+")


def check(path: str, source: str) -> tuple[Problem, ...]:
    """All problems of an issue, errors and warnings, from its top to its end."""
    issue, problems = examine(path, source)
    if issue is None:
        return problems
    notes = Notes(path=path, found=list(problems))
    _check_front(issue.front, notes)
    _check_sections(issue, notes)
    for node in walk((issue.front.subject, issue.front.preheader, issue.blocks)):
        _check_node(node, notes)
    return notes.in_order


def walk(node: object) -> Iterator[object]:
    """A node of an issue and every node below it."""
    if isinstance(node, tuple):
        for child in node:
            yield from walk(child)
    elif dataclasses.is_dataclass(node):
        yield node
        for each in dataclasses.fields(node):
            yield from walk(getattr(node, each.name))


def _check_front(front: FrontMatter, notes: Notes) -> None:
    if front.number is None:
        notes.warning(_TOP, "the issue has no number", "add number: 1 to the front matter")
    if not front.preheader:
        notes.warning(
            _TOP,
            "the issue has no preheader",
            "add preheader: … to the front matter; inboxes show it behind the subject",
        )
    for name, limit in (("subject", MAX_SUBJECT), ("preheader", MAX_PREHEADER)):
        texts = (each.text for each in walk(getattr(front, name)) if isinstance(each, Text))
        length = sum(map(len, texts))
        if length > limit:
            notes.warning(
                _TOP, f"the {name} has {length} characters", f"keep it below {limit}: more is cut"
            )


def _check_sections(issue: ParsedIssue, notes: Notes) -> None:
    sections = [block for block in issue.blocks if isinstance(block, Section)]
    numbered = [section for section in sections if section.number is not None]
    for expected, section in enumerate(numbered, start=1):
        if section.number != expected:
            notes.warning(
                section.place,
                f"section {section.number} is the {_ordinal(expected)} numbered section",
                f"write {expected}.",
            )
            break
    if not sections and any(isinstance(block, Contents) for block in issue.blocks):
        notes.warning(_TOP, "::toc has nothing to list", "add sections: ## 1. Title")


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _check_node(node: object, notes: Notes) -> None:
    match node:
        case Picture(place=place, alt=alt) if not alt:
            notes.warning(place, "this image has no alternative text", "write ![what it shows](…)")
        case Merge(place=place, expression=expression):
            if _may_be_empty(expression.tree):
                notes.warning(
                    place,
                    f"{expression.source} is empty for those who have none",
                    f'write {{{{ {expression.source} | default("…") }}}}',
                )
        case Paragraph():
            _check_bare_urls(node, notes)


def _may_be_empty(tree: Node) -> bool:
    """Whether the field is one that not every subscriber has, and no default is given."""
    while isinstance(tree, Filtered):
        if tree.filter == "default":
            return False
        tree = tree.operand
    sure = {("subscriber", "email"), ("subscriber", "id")}
    return isinstance(tree, Name) and tree.path[0] == "subscriber" and tree.path not in sure


def _check_bare_urls(paragraph: Paragraph, notes: Notes) -> None:
    for inline in paragraph.children:
        if isinstance(inline, Text) and (match := _BARE_URL.search(inline.text)):
            notes.warning(
                _TOP, f"{match.group()} is no link", "write [Text](https://…) or <https://…>"
            )
