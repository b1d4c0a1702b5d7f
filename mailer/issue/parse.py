"""The verb of this stage: an issue file to a ParsedIssue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from mailer.errors import IssueInvalid
from mailer.issue import front
from mailer.issue.blocks import BlockReader
from mailer.issue.directives import MAX_NESTING, dialect
from mailer.issue.inline import InlineReader
from mailer.issue.model import START, Blocks, FrontMatter, ParsedIssue, Place, Problem, nonce_of
from mailer.issue.problems import IssueHasProblems, Notes
from mailer.issue.rules import Rule
from mailer.issue.tags import Tags

#: Longer ones are no issue: Gmail clips at 102 KB, and time to parse is bounded by this.
MAX_BYTES = 256 * 1024
#: C0 and C1 controls but tab and line end, and lone surrogates: clients clip or choke on them.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
#: Brackets that open and do not close make a parser look ahead again and again.
_MAX_BRACKETS = 1000


def read(path: Path) -> str:
    """The text of an issue file, line ends as `\\n`, without a byte order mark.

    Raises IssueInvalid when it can't be read, is not UTF-8 or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as exc:
        raise IssueInvalid(
            f"{path}: there is no such file; `mailer issue new {path}` writes one"
        ) from exc
    except OSError as exc:
        raise IssueInvalid(f"{path}: can't be read: {exc.strerror}") from exc
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        if len(data) > MAX_BYTES and exc.start > MAX_BYTES - 4:
            text = data.decode("utf-8-sig", "ignore")
        else:
            line = data.count(b"\n", 0, exc.start) + 1
            raise IssueInvalid(
                f"{path}:{line}:1: error: not UTF-8; save the file in the encoding UTF-8"
            ) from exc
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(path: str, source: str) -> ParsedIssue:
    """Understand an issue; `path` is only for messages.

    Raises IssueHasProblems with all problems when one of them is an error.
    """
    issue, problems = examine(path, source)
    if issue is None:
        raise IssueHasProblems(problems)
    return issue


def examine(path: str, source: str) -> tuple[ParsedIssue | None, tuple[Problem, ...]]:
    """The issue, if it can be understood, and everything that is wrong with its syntax."""
    notes = Notes(path=path)
    if not _readable(source, notes):
        return None, notes.in_order
    tags = Tags(nonce=nonce_of(source), notes=notes)
    yaml, body = front.split(source, notes)
    matter = front.read(yaml, tags) if yaml else FrontMatter(subject=())
    blocks = _blocks(body, tags)
    if not blocks and not notes.fatal:
        notes.add(Rule.UNREADABLE, START, "the issue is empty", "write something below ---")
    problems = notes.in_order
    if notes.fatal:
        return None, problems
    return ParsedIssue(
        path=path, source=source, front=matter, blocks=blocks, warnings=problems
    ), problems


def _readable(source: str, notes: Notes) -> bool:
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        notes.add(
            Rule.UNREADABLE,
            START,
            f"the issue has more than {MAX_BYTES // 1024} KB",
            "split it, or move images out of it",
        )
    if match := _CONTROL.search(source):
        at = match.start()
        place = Place(
            line=source.count("\n", 0, at) + 1, column=at - (source.rfind("\n", 0, at) + 1) + 1
        )
        notes.add(
            Rule.CONTROL_CHARACTER,
            place,
            f"control character U+{ord(match.group()):04X}",
            "remove it",
        )
    for number, paragraph in _paragraphs(source):
        if paragraph.count("[") > _MAX_BRACKETS:
            notes.add(
                Rule.TOO_COMPLEX,
                Place(line=number, column=1),
                f"more than {_MAX_BRACKETS} brackets in one paragraph",
                "remove them or begin a new paragraph",
            )
    return not notes.fatal


def _paragraphs(source: str) -> list[tuple[int, str]]:
    line, found = 1, []
    for paragraph in source.split("\n\n"):
        found.append((line, paragraph))
        line += paragraph.count("\n") + 2
    return found


def _blocks(body: str, tags: Tags) -> Blocks:
    marked = tags.exchange(body, first=START)
    tokens = dialect(tags.lone).parse(marked)
    for token in tokens:
        if token.level >= MAX_NESTING - 1 or _depth(token.children or []) > MAX_NESTING:
            line = token.map[0] + 1 if token.map else 1
            remedy = "use fewer > or * or list levels"
            tags.notes.add(Rule.TOO_COMPLEX, Place(line=line, column=1), "nested too deep", remedy)
            return ()
    reader = BlockReader(inline=InlineReader(tags=tags, lines=marked.split("\n")))
    return reader.read(SyntaxTreeNode(tokens))


def _depth(tokens: Sequence[Token]) -> int:
    depth = deepest = 0
    for token in tokens:
        depth += token.nesting
        deepest = max(deepest, depth)
    return deepest
