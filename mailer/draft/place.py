"""Where in a draft a new item goes, and whether its link stands there already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from mailer.draft.outline import Chunk, outline
from mailer.errors import IssueInvalid
from mailer.issue.model import Link, ParsedIssue, Text
from mailer.issue.urls import arxiv_id
from mailer.issue.walk import walk

_NUMBER = re.compile(r"#{1,2}[ \t]+(?:(\d{1,3})[.)．、][ \t]*)?(.*?)[ \t#]*")
#: What stands below the last section of most issues, and is no part of it.
_ENDS = ("subscribe", "about")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the file: its title, and the line (from 0) that something new goes before."""

    title: str
    number: int | None
    end: int


def sections(source: str) -> list[Section]:
    """The sections of a draft; headings that are only a link are items, not sections."""
    lines = source.split("\n")
    chunks = outline(source)
    found: list[Section] = []
    for index, chunk in enumerate(chunks):
        if begins(chunk, lines):
            match = _NUMBER.fullmatch(lines[chunk.start])
            number, title = match.groups() if match else (None, lines[chunk.start])
            end = _end(chunks[index:], lines)
            found.append(Section(title=title, number=int(number) if number else None, end=end))
    return found


def begins(chunk: Chunk, lines: list[str]) -> bool:
    """Whether a section begins here."""
    text = lines[chunk.start]
    return (
        chunk.kind == "heading" and chunk.level <= 2 and not re.match(r"#+[ \t]+(\[|<|http)", text)
    )


def _end(chunks: list[Chunk], lines: list[str]) -> int:
    first, *rest = chunks
    last = first
    for chunk in rest:
        if begins(chunk, lines) or chunk.kind == "hr" or chunk.name in _ENDS:
            break
        last = chunk
    return last.end


def place_for(source: str, wanted: str | None, *, paper: bool) -> int:
    """The line (from 0) before which a new item goes.

    `wanted` is a section's number or a part of its title. Without it papers go to the section that
    speaks of papers, all else to the last numbered one, or to the end of the file.
    Raises IssueInvalid where there is no such section, or several.
    """
    every = sections(source)
    if wanted is not None:
        return _chosen(every, wanted).end
    if paper and (about := [each for each in every if "paper" in each.title.lower()]):
        return about[0].end
    numbered = [each for each in every if each.number is not None]
    if numbered or every:
        return (numbered or every)[-1].end
    chunks = outline(source)
    ends = [chunk for chunk in chunks if chunk.name in _ENDS]
    before = [chunk for chunk in chunks if not ends or chunk.start < ends[0].start]
    while before and before[-1].kind == "hr":
        before.pop()
    return before[-1].end if before else len(source.rstrip("\n").split("\n"))


def _chosen(every: list[Section], wanted: str) -> Section:
    low = wanted.strip().lower()
    exact = [e for e in every if str(e.number) == low or e.title.lower() == low]
    found = exact or [each for each in every if low and low in each.title.lower()]
    if len(found) == 1:
        return found[0]
    there = ", ".join(repr(each.title) for each in found or every) or "none"
    which = "several sections fit" if found else "no section fits"
    raise IssueInvalid(f"{which} {wanted!r}; there are: {there}")


def placed(lines: list[str], at: int, item: list[str], line_end: str) -> list[str]:
    """The file's lines with an item before line `at`, an empty line on either side."""
    before, after = lines[:at], lines[at:]
    if before and not before[-1].endswith(("\n", "\r")):
        before[-1] += line_end
    gap = [line_end] if before and before[-1].strip() else []
    last = [line_end] if after and after[0].strip() else []
    return [*before, *gap, *(line + line_end for line in item), *last, *after]


def same_link(issue: ParsedIssue, url: str) -> Iterator[int]:
    """The lines of an issue that link to what `url` leads to."""
    wanted = _essence(url)
    for node in walk(issue.blocks):
        if isinstance(node, Link) and len(node.url) == 1:
            first = node.url[0]
            if isinstance(first, Text) and _essence(first.text) == wanted:
                yield node.place.line


def _essence(url: str) -> str:
    """A URL without what does not change where it leads: scheme, www., utm parameters, a last /."""
    if paper := arxiv_id(url):
        return f"arxiv:{paper}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    asked = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([pair for pair in asked if not pair[0].startswith("utm_")])
    host = (parts.netloc or "").lower().removeprefix("www.")
    return f"{host}{parts.path.rstrip('/')}?{query}#{parts.fragment}"
