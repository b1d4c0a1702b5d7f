"""The Markdown dialect: CommonMark, `~~`, and block rules for `::leaf`, `:::container`, `{% if %}`.

Plugins of markdown-it give containers and attributes, but no leaf directives; and what is on the
lines of a condition must stay a block of its own even without empty lines around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock

from mailer.issue.flanking import FlankingParser

MAX_NESTING = 24
_LEAF = re.compile(r"::([A-Za-z][\w-]*)(?:\[(.*)\])?(?:\(([^()\s]*)\))?[ \t]*")
_OPEN = re.compile(r":::[ \t]*([A-Za-z][\w-]*)(?:\[(.*)\])?[ \t]*")
_CLOSE = re.compile(r":::[ \t]*")
_ALL_BLOCKS = ["paragraph", "reference", "blockquote", "list"]


class Dialect(MarkdownIt):
    """A Markdown parser that leaves URLs as they are written: they are judged afterwards."""

    def __init__(self) -> None:
        """CommonMark's rules, and the inline parser that knows of scripts without blanks."""
        super().__init__()
        self.inline = FlankingParser()
        self.configure("commonmark", {"maxNesting": MAX_NESTING})

    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Every link is a link: `javascript:` shall be an error with a line, not silent text."""
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        """Unchanged: the marks of merge fields must survive, and places are found by the text."""
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        """Unchanged."""
        return link


def dialect(lone_tag: Callable[[str], int | None]) -> Dialect:
    """A parser; `lone_tag(line)` is the number of the condition that stands alone on a line."""
    parser = Dialect()
    parser.enable("strikethrough")

    def condition(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
        number = lone_tag(_line(state, start)) if not state.is_code_block(start) else None
        if number is None:
            return False
        if not silent:
            state.line = start + 1
            token = state.push("condition", "", 0)
            token.map = [start, state.line]
            token.meta = {"tag": number}
        return True

    rule: RuleOptionsType = {"alt": _ALL_BLOCKS}
    parser.block.ruler.before("fence", "condition", condition, rule)
    parser.block.ruler.before("fence", "directive", _directive, rule)
    return parser


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _directive(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    text = _line(state, start)
    if not text.startswith("::") or state.is_code_block(start):
        return False
    if silent:
        return True
    if match := _OPEN.fullmatch(text):
        _container(state, start, end, match.group(1), match.group(2))
    elif match := _LEAF.fullmatch(text):
        _leaf(state, start, match)
    else:
        state.line = start + 1
        token = state.push("malformed", "", 0)
        token.map = [start, state.line]
        token.content = text
    return True


def _leaf(state: StateBlock, start: int, match: re.Match[str]) -> None:
    name, label, url = match.groups()
    state.line = start + 1
    _open(state, start, {"name": name, "leaf": True, "url": url, "closed": True}, label)
    state.push("directive_close", "", -1)


def _container(state: StateBlock, start: int, end: int, name: str, label: str | None) -> None:
    close = _closing_line(state, start, end)
    last = end if close is None else close
    _open(state, start, {"name": name, "leaf": False, "closed": close is not None}, label)
    parent, state.parentType = state.parentType, "directive"
    line_max, state.lineMax = state.lineMax, last
    state.md.block.tokenize(state, start + 1, last)
    state.parentType, state.lineMax = parent, line_max
    state.push("directive_close", "", -1)
    state.line = last if close is None else last + 1


def _closing_line(state: StateBlock, start: int, end: int) -> int | None:
    depth = 1
    fence = ""
    for line in range(start + 1, end):
        text = _line(state, line)
        if text and state.sCount[line] < state.blkIndent:
            return None
        if fence:
            fence = "" if text.startswith(fence) else fence
        elif text.startswith(("```", "~~~")):
            fence = text[:3]
        elif _CLOSE.fullmatch(text):
            depth -= 1
            if not depth:
                return line
        elif _OPEN.fullmatch(text):
            depth += 1
    return None


def _open(state: StateBlock, start: int, meta: dict[str, object], label: str | None) -> None:
    token = state.push("directive_open", "", 1)
    token.map = [start, start + 1]
    token.meta = {**meta, "label": label is not None}
    if label is not None:
        inline = state.push("inline", "", 0)
        inline.content = label
        inline.map = [start, start + 1]
        inline.children = []
