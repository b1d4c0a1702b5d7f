"""The next issue from the last one: its bones, without what it said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from mailer.draft.outline import Chunk, outline
from mailer.draft.place import begins
from mailer.errors import IssueInvalid
from mailer.issue.model import ParsedIssue
from mailer.issue.parse import MAX_BYTES, examine, read

WEEK = timedelta(days=7)
_NUMBER = re.compile(rb"^number:[ \t]*([0-9]{1,9})[ \t]*\r?$", re.MULTILINE)
_KEY = re.compile(r"([A-Za-z_]+):")
_GREETING = 'Hello {{ subscriber.name | default("there") }},'
_KEPT = ("byline", "toc", "subscribe", "about")


def latest(folder: Path) -> Path | None:
    """The issue of the highest number among the Markdown files of a folder."""
    found = [(number, file) for file in sorted(folder.glob("*.md")) if (number := _number(file))]
    return max(found, key=lambda each: each[0])[1] if found else None


def _number(file: Path) -> int | None:
    try:
        with file.open("rb") as opened:
            head = opened.read(MAX_BYTES)
    except OSError:
        return None
    match = _NUMBER.search(head) if head.removeprefix(b"\xef\xbb\xbf").startswith(b"---") else None
    return int(match[1]) if match else None


def parsed(file: Path) -> ParsedIssue:
    """The issue to go on from; raises IssueInvalid where it has errors."""
    issue, _ = examine(str(file), read(file))
    if issue is None:
        raise IssueInvalid(f"{file} has errors; mend it first: mailer issue check {file}")
    return issue


def next_name(last: Path, number: int) -> Path:
    """What the file of the next issue is called: the number in the last one's name counts on."""
    stem, counted = re.subn(rf"(?<!\d)0*{number - 1}(?!\d)", str(number), last.stem, count=1)
    return last.with_name(f"{stem}.md" if counted else f"{last.stem}-{number}.md")


def next_issue(last: ParsedIssue, *, today: date) -> str:
    """A draft with the last one's front matter, sections, contents, byline, calls and about."""
    lines = last.source.split("\n")
    number = (last.front.number or 0) + 1
    day = max(today, last.front.date + WEEK) if last.front.date else today
    end = lines.index("---", 1) if "---" in lines[1:] else _fence(lines)
    front = list(_front(lines[1:end], number, day))
    body = list(_bones(outline(last.source), lines))
    return "\n".join(["---", *front, "---", "", "\n\n".join(body or [_GREETING]), ""])


def _fence(lines: list[str]) -> int:
    return next(at for at, line in enumerate(lines) if at and re.fullmatch(r"---[ \t]*", line))


def _front(lines: list[str], number: int, day: date) -> Iterator[str]:
    fresh = {
        "subject": f'subject: "Issue {number}: say here what is in it"',
        "preheader": 'preheader: "One sentence that inboxes show behind the subject."',
        "number": f"number: {number}",
        "date": f"date: {day.isoformat()}",
    }
    key = ""
    for line in lines:
        if match := _KEY.match(line):
            key = match[1]
            if key in fresh:
                yield fresh[key]
        if key in fresh:
            continue  # also what goes on in the lines below it
        yield re.sub(rf"(?<!\d){number - 1}(?!\d)", str(number), line)


def _bones(chunks: list[Chunk], lines: list[str]) -> Iterator[str]:
    in_front, ruled = True, True
    for chunk in chunks:
        whole = "\n".join(lines[chunk.start : chunk.end])
        if begins(chunk, lines):
            in_front = ruled = False
            yield whole
        elif chunk.kind == "hr":
            if not ruled:
                yield whole
            ruled = True
        elif chunk.name == "highlights":
            ruled = False
            yield f"{lines[chunk.start]}\n- The best of this issue, in one line.\n:::"
        elif chunk.name in _KEPT or (in_front and _greets(chunk, whole)):
            ruled = False
            yield whole


def _greets(chunk: Chunk, whole: str) -> bool:
    return chunk.kind == "paragraph" and "{{" in whole and "subscriber." in whole
