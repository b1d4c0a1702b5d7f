"""What is missing of cards and items, and the lines that fill it; the author's words stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailer.draft.facts import PageFacts
from mailer.draft.item import is_named, paper_line
from mailer.draft.markdown import escaped, link
from mailer.draft.outline import Chunk, outline
from mailer.issue.urls import arxiv_id

_LINK = re.compile(r"\[((?:\\.|[^\]\\])*)\]\(([^()\s<>]+)\)")
_BARE = re.compile(r"<?(https?://[^\s<>]+)>?")
_HEADING = re.compile(r"(#{1,6}[ \t]+)(.*?)([ \t]+#+)?[ \t]*")


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A link of which something is missing; `line` counts from 0, `before` stands left of it."""

    url: str
    line: int
    before: str = ""
    title: bool = False
    paper: str | None = None
    description: bool = False
    image: bool = False


def gaps(source: str, *, images: bool = True) -> list[Gap]:
    """Cards and items that a page could fill, from the top of an issue to its end."""
    lines = source.split("\n")
    chunks = outline(source)
    found: list[Gap] = []
    for chunk, after in zip(chunks, [*chunks[1:], None], strict=True):
        if chunk.kind == "heading":
            found += _item(chunk, after, lines)
        elif chunk.name == "card":
            found += _card(chunk, lines, images=images)
    return found


def _item(chunk: Chunk, after: Chunk | None, lines: list[str]) -> Iterator[Gap]:
    match = _HEADING.fullmatch(lines[chunk.start])
    alone = _link_alone(match[2]) if match else None
    if match is None or alone is None:
        return
    words, url = alone
    paper = arxiv_id(url)
    if paper and after and lines[after.start].lstrip(" *").startswith(f"[{paper}"):
        paper = None
    title = not is_named(words, url)
    if title or paper:
        yield Gap(url=url, line=chunk.start, before=match[1], title=title, paper=paper)


def _card(chunk: Chunk, lines: list[str], *, images: bool) -> Iterator[Gap]:
    inside = [at for at in range(chunk.start + 1, chunk.end) if lines[at].strip(" \t:")]
    alone = _link_alone(lines[inside[0]]) if inside else None
    if alone is None:
        return
    words, url = alone
    title = not is_named(words, url)
    described = any(not lines[at].lstrip().startswith("![") for at in inside[1:])
    pictured = not images or any("![" in lines[at] for at in inside)
    if title or not described or not pictured:
        yield Gap(
            url=url, line=inside[0], title=title, description=not described, image=not pictured
        )


def _link_alone(text: str) -> tuple[str, str] | None:
    """Words and URL of a line that is nothing but one link to the web."""
    if match := _LINK.fullmatch(text.strip()):
        words, url = match.groups()
    elif match := _BARE.fullmatch(text.strip()):
        words, url = "", match[1]
    else:
        return None
    # A merge field's value is known of nobody yet.
    return (words, url) if re.match(r"https?://[^{}]+\Z", url) else None


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What became of one gap: the line now in its place, those below it, and in words."""

    gap: Gap
    line: str | None
    below: tuple[str, ...]
    done: tuple[str, ...]


def filling(gap: Gap, facts: PageFacts) -> Filling:
    """The lines for a gap; what the page does not say stays open."""
    done: list[str] = []
    below: list[str] = []
    line = None
    if gap.title and facts.title:
        line = gap.before + link(facts.title, gap.url)
        done.append("title")
    if gap.paper and facts.title:
        below += ["", paper_line(gap.paper, facts.title)]
        done.append("paper")
    if gap.image and facts.image:
        words = facts.image_words or facts.title
        below.append("!" + link(words, facts.image))
        done.append("image")
    if gap.description and facts.description:
        below.append(escaped(facts.description))
        done.append("description")
    return Filling(gap=gap, line=line, below=tuple(below), done=tuple(done))


def filled(lines: list[str], fillings: Mapping[int, Filling], line_end: str) -> list[str]:
    """The file's lines with the gaps filled; each other line stays as it is, byte for byte."""
    made: list[str] = []
    for number, line in enumerate(lines):
        filling = fillings.get(number)
        if filling is None or not filling.done:
            made.append(line)
            continue
        text = line.rstrip("\r\n")
        end = line[len(text) :] or (line_end if filling.below else "")
        made.append((text if filling.line is None else filling.line) + end)
        made += [each + end for each in filling.below]
    return made
