"""The outline of an issue's file: which lines belong to which block, as the parser sees them."""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it.token import Token

from mailer.issue import front
from mailer.issue.directives import dialect
from mailer.issue.model import Place, nonce_of
from mailer.issue.problems import Notes
from mailer.issue.tags import Tags


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """One block of the file: lines `start` to `end` (from 0, `end` not included, no empty ones).

    `kind` is the parser's: `heading`, `paragraph`, `directive`, `hr`, `html_block`, `condition`, …
    `level` is a heading's, `name` a directive's.
    """

    kind: str
    start: int
    end: int
    level: int = 0
    name: str = ""


def outline(source: str) -> list[Chunk]:
    """The blocks of an issue from its top to its end, containers as one; no front matter."""
    notes = Notes(path="")
    tags = Tags(nonce=nonce_of(source), notes=notes)
    _, body = front.split(source, notes)
    marked = tags.exchange(body, first=Place(line=1, column=1))
    tokens = dialect(tags.lone).parse(marked)
    tops = [token for token in tokens if token.level == 0 and token.nesting >= 0 and token.map]
    lines = body.split("\n")
    ends = [*(_start(token) for token in tops[1:]), len(lines)]
    return [_chunk(token, end, lines) for token, end in zip(tops, ends, strict=True)]


def _start(token: Token) -> int:
    assert token.map is not None
    return token.map[0]


def _chunk(token: Token, end: int, lines: list[str]) -> Chunk:
    start = _start(token)
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    kind = token.type.removesuffix("_open")
    level = int(token.tag[1:]) if kind == "heading" else 0
    name = str(token.meta.get("name", "")) if kind == "directive" else ""
    return Chunk(kind=kind, start=start, end=end, level=level, name=name)
