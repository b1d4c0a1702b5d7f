"""Everything that can be said about an issue file before it is rendered."""

from __future__ import annotations

from mailer.issue.check import head, leftover, links, structure, words
from mailer.issue.model import ParsedIssue, Problem
from mailer.issue.parse import examine
from mailer.issue.problems import Notes
from mailer.issue.readers import Readers
from mailer.issue.walk import walk


def check(path: str, source: str) -> tuple[Problem, ...]:
    """All problems of an issue's text, errors and warnings, from its top to its end."""
    issue, problems = examine(path, source)
    if issue is None:
        return problems
    notes = Notes(path=path, found=list(problems))
    check_parsed(issue, notes, readers=Readers())
    return notes.in_order


def check_parsed(issue: ParsedIssue, notes: Notes, *, readers: Readers) -> None:
    """Note what is doubtful about an issue that was understood."""
    head.check(issue.front, notes, readers)
    structure.check(issue, notes)
    links.check(issue, notes)
    leftover.check(issue, notes)
    words.check_characters(issue, notes)
    words.check_placeholders(issue, notes)
    words.check_urls(issue, notes)
    words.check_defaults((issue.front.subject, issue.front.preheader, issue.blocks), notes)
    for node in walk((issue.front.subject, issue.front.preheader, issue.blocks)):
        words.check_node(node, issue, notes, readers)
