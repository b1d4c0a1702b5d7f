"""The order of an issue's headings and the numbers of its sections."""

from __future__ import annotations

from mailer.issue.model import Contents, ParsedIssue, Section, Subheading
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.walk import walk


def check(issue: ParsedIssue, notes: Notes) -> None:
    """Note sections that do not count up and headings that leave out a level."""
    _check_numbers(issue, notes)
    _check_levels(issue, notes)


def _check_numbers(issue: ParsedIssue, notes: Notes) -> None:
    sections = [block for block in issue.blocks if isinstance(block, Section)]
    numbered = [section for section in sections if section.number is not None]
    for expected, section in enumerate(numbered, start=1):
        if section.number != expected:
            notes.add(
                Rule.SECTION_NUMBERS,
                section.place,
                f"section {section.number} is the {_ordinal(expected)} numbered section",
                f"write {expected}.",
            )
            break
    contents = next((block for block in issue.blocks if isinstance(block, Contents)), None)
    if contents and not sections:
        notes.add(
            Rule.SECTION_NUMBERS,
            contents.place,
            "::toc has nothing to list",
            "add sections: ## 1. Title",
        )


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _check_levels(issue: ParsedIssue, notes: Notes) -> None:
    """An item is a heading of the third level, whatever level the author gave its link."""
    above = 2
    for node in walk(issue.blocks):
        match node:
            case Section():
                above = 2
            case Subheading(level=level, place=place):
                if level > above + 1:
                    notes.add(
                        Rule.HEADING_ORDER,
                        place,
                        f"a heading of level {level} follows one of level {above}",
                        f"write {'#' * (above + 1)}: screen readers go by the levels",
                    )
                above = level
