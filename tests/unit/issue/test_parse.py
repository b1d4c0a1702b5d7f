"""An issue file to blocks; each mistake with its line, column and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.errors import IssueInvalid
from mailer.issue.check import check
from mailer.issue.model import (
    About,
    Alternative,
    Buttons,
    Byline,
    Card,
    Contents,
    Highlights,
    Item,
    ItemKind,
    ParsedIssue,
    Section,
    Separator,
    Subscribe,
    Text,
)
from mailer.issue.parse import MAX_BYTES, examine, parse, read
from mailer.issue.problems import IssueHasProblems
from mailer.issue.rules import Severity
from mailer.issue.walk import walk
from mailer.resources import templates

FRONT = '---\nsubject: "x"\npreheader: y\nnumber: 1\n---\n'
STRUCTURE = Path(__file__).parents[2] / "data" / "issues" / "structure.md"
SAMPLES = sorted((templates() / "sample").glob("*.md"))


@pytest.fixture(scope="module")
def structure() -> ParsedIssue:
    return parse("structure.md", read(STRUCTURE))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples_hold_everything_and_no_mistake(path: Path) -> None:
    source = read(path)
    assert check(path.name, source) == ()
    issue = parse(path.name, source)
    kinds = {type(node) for node in walk(issue.blocks)}
    wanted = {Byline, Highlights, Contents, Section, Item, Card, Separator, Subscribe, About}
    assert wanted <= kinds
    sections = [block for block in issue.blocks if isinstance(block, Section)]
    assert [section.number for section in sections] == [1, 2, 3, 4, 5, None, None]
    items = [node for node in walk(issue.blocks) if isinstance(node, Item)]
    assert sum(item.kind is ItemKind.PAPER for item in items) == 8
    assert sum(item.kind is ItemKind.POST for item in items) == 1


def test_front_matter(structure: ParsedIssue) -> None:
    front = structure.front
    assert front.number == 30
    assert front.date is not None
    assert front.date.isoformat() == "2021-09-21"
    assert front.utm == (("utm_source", "gradient"), ("utm_medium", "email"))


def test_item(structure: ParsedIssue) -> None:
    item = next(block for block in structure.blocks if isinstance(block, Item))
    assert (item.domain, item.reference, item.kind) == ("arxiv.org", "2108.02774", "paper")
    assert item.paper == (Text(text="Sketch Your Own GAN"),)
    assert item.picture is not None
    assert item.picture.alt[0] == Text(text='A \\ "drawing" of ')


def test_conditions_around_blocks_and_in_text(structure: ParsedIssue) -> None:
    outer = next(block for block in structure.blocks if isinstance(block, Alternative))
    assert outer.condition.source == 'subscriber.attributes.plan == "pro"'
    assert any(isinstance(block, Item) for block in outer.then)
    assert any(isinstance(block, Alternative) for block in outer.otherwise)


def test_buttons_stand_in_a_row(structure: ParsedIssue) -> None:
    buttons = next(block for block in structure.blocks if isinstance(block, Buttons))
    assert len(buttons.links) == 2


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        pytest.param("one\ntwo", "one two", id="latin"),
        pytest.param("中文\n中文", "中文中文", id="chinese"),
        pytest.param("日本語、\nです", "日本語、です", id="japanese"),
        pytest.param("한국\n어", "한국 어", id="korean has blanks"),
        pytest.param("中文\nabc", "中文 abc", id="mixed"),
    ],
)
def test_line_ends_in_text(text: str, joined: str) -> None:
    (paragraph,) = parse("x.md", FRONT + text).blocks
    assert [node.text for node in walk(paragraph) if isinstance(node, Text)] == [joined]


@pytest.mark.parametrize(
    ("body", "line", "column", "words"),
    [
        pytest.param("See [x](/rel/path).", 6, 9, "relative link '/rel/path'", id="relative"),
        pytest.param("See [x](#top).", 6, 9, "relative link '#top'", id="anchor"),
        pytest.param("See [](https://e.org/).", 6, 8, "no text", id="empty text"),
        pytest.param("See [x]().", 6, 9, "leads nowhere", id="empty URL"),
        pytest.param("a\nb [x](javascript:alert(1))", 7, 7, "javascript:", id="javascript"),
        pytest.param("[x](https:///p)", 6, 5, "no valid URL", id="no host"),
        pytest.param("[x](https://e.org:99999/)", 6, 5, "no valid URL", id="port"),
        pytest.param("[x](https://e.org{{ subscriber.name }}/)", 6, 5, "host", id="field in host"),
        pytest.param("[x]({{ subscriber.name }}/a)", 6, 5, "followed by more", id="field first"),
        pytest.param("### [](https://e.org/)", 6, 8, "no text", id="item without title"),
        pytest.param("![a](/a.png)", 6, 6, "relative image", id="image without folder"),
        pytest.param("![a](data:image/png;base64,x)", 6, 6, "data:", id="data image"),
        pytest.param("{{ ''.__class__ }}", 6, 1, "has no fields", id="class"),
        pytest.param("a {{ subscriber.nam }}", 6, 3, "did you mean subscriber.name", id="field"),
        pytest.param("a {{ subscriber.name", 6, 3, "never closed", id="open braces"),
        pytest.param("{% for x in y %}", 6, 1, "unknown tag 'for'", id="loop"),
        pytest.param("{{ cycler() }}", 6, 1, "a call", id="call"),
        pytest.param("{% if subscriber.name %}\n\ntext", 6, 1, "not closed", id="unclosed if"),
        pytest.param("text {% endif %}", 6, 6, "without an {% if %}", id="stray endif"),
        pytest.param("{% if issue.number %}a **b{% endif %}**", 6, 1, "not closed", id="crossing"),
        pytest.param("{# x #}", 6, 1, "<!-- comment -->", id="Jinja comment"),
        pytest.param("::tox[x]", 6, 1, "did you mean ::toc?", id="unknown leaf"),
        pytest.param("::card", 6, 1, "write :::card", id="container as leaf"),
        pytest.param("::toc [x]", 6, 1, "is no directive", id="malformed directive"),
        pytest.param(":::card\n[a](https://e.org/)", 6, 1, "not closed", id="open container"),
        pytest.param(":::card\nwords\n:::", 6, 1, "no link", id="card without link"),
        pytest.param(":::", 6, 1, "closes nothing", id="stray close"),
        pytest.param("a <b>x</b>", 6, 3, "HTML can't stand", id="inline HTML"),
        pytest.param("<div>\nx\n</div>", 6, 1, "HTML can't stand", id="block HTML"),
        pytest.param(
            "<style>@import url(file:///etc/passwd);</style>", 6, 1, "HTML can't", id="@import"
        ),
        pytest.param("a [b](https://e.org/){.button} c", 6, 7, "middle of text", id="button"),
        pytest.param("a\x00b", 6, 2, "U+0000", id="NUL"),
        pytest.param("a\x85b", 6, 2, "U+0085", id="C1"),
        pytest.param("", 1, 1, "empty", id="nothing"),
    ],
)
def test_mistake_has_place_and_remedy(body: str, line: int, column: int, words: str) -> None:
    issue, problems = examine("x.md", FRONT + body)
    assert issue is None
    first = problems[0]
    assert (first.line, first.column) == (line, column), str(first)
    assert words in f"{first.message}; {first.remedy}"
    assert first.remedy
    assert str(first).startswith(f"x.md:{line}:{column}: error: ")


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        pytest.param("text", 1, 1, "front matter is missing", id="none"),
        pytest.param("---\nsubject: x\n", 1, 1, "not closed", id="open"),
        pytest.param("---\nnumber: 1\n---\nx", 1, 1, "subject is missing", id="no subject"),
        pytest.param("---\nsubject:\n---\nx", 2, 9, "subject is empty", id="empty subject"),
        pytest.param("---\nsubject: a\nsubjct: b\n---\nx", 3, 1, "did you mean", id="unknown"),
        pytest.param("---\nsubject: a\nsubject: b\n---\nx", 3, 1, "twice", id="twice"),
        pytest.param("---\nsubject: a: b\n---\nx", 2, 11, "not valid YAML", id="colon"),
        pytest.param("---\nsubject: {{ x }}\n---\nx", 2, 10, "quotes", id="bare field"),
        pytest.param("---\nsubject: a\nnumber: x\n---\nx", 3, 9, "whole number", id="number"),
        pytest.param("---\nsubject: a\ndate: x\n---\nx", 3, 7, "no date", id="date"),
        pytest.param("---\nsubject: a\nlang: _\n---\nx", 3, 7, "language tag", id="lang"),
        pytest.param("---\nsubject: a\nutm: 1\n---\nx", 3, 6, "lines of their own", id="utm"),
        pytest.param("---\nsubject: a\nutm:\n  x: 1\n---\nx", 4, 3, "unknown utm", id="utm key"),
        pytest.param("---\nsubject: a\ncanonical_url: /x\n---\nx", 3, 16, "absolute", id="url"),
        pytest.param('---\nsubject: "{{ x.y }}"\n---\nx', 2, 11, "unknown merge", id="field"),
        pytest.param("---\n" + "[" * 990 + "\n---\nx", 1, 1, "too deep", id="deep YAML"),
    ],
)
def test_front_matter_mistakes(source: str, line: int, column: int, words: str) -> None:
    issue, problems = examine("x.md", source)
    assert issue is None
    assert words in f"{problems[0].message}; {problems[0].remedy}"
    assert (problems[0].line, problems[0].column) == (line, column), str(problems[0])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(">" * 10_000 + "x", "nested too deep", id="quotes"),
        pytest.param("- " * 10_000 + "x", "nested too deep", id="lists"),
        pytest.param("*" * 10_000 + "a" + "*" * 10_000, "nested too deep", id="emphasis"),
        pytest.param("[" * 10_000, "brackets", id="brackets"),
        pytest.param("{% if subscriber.name %}" * 10_000, "conditions inside", id="ifs"),
        pytest.param("{{" * 10_000, "never closed", id="open fields"),
        pytest.param("{{ '" * 10_000, "never closed", id="open quotes"),
        pytest.param(":::highlights\n" * 10_000, "nested too deep", id="containers"),
        pytest.param("x" * (MAX_BYTES + 1), "more than 256 KB", id="size"),
    ],
)
@pytest.mark.timeout(10)
def test_bombs_end_in_one_clear_error(body: str, words: str) -> None:
    issue, problems = examine("x.md", FRONT + body)
    assert issue is None
    assert any(words in problem.message for problem in problems)
    assert len(problems) <= 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("![](https://e.org/a.png)", "no alternative text", id="alt"),
        pytest.param("Hi {{ subscriber.name }}", 'default("…")', id="no default"),
        pytest.param("see https://e.org/ there", "is no link", id="bare URL"),
        pytest.param("## 1. A\n\n## 3. B", "write 2.", id="numbering"),
        pytest.param("text\n---", "makes this text a heading", id="setext"),
        pytest.param("::toc[x]", "nothing to list", id="empty contents"),
    ],
)
def test_warnings_do_not_stop(body: str, words: str) -> None:
    problems = check("x.md", FRONT + body)
    assert [problem.severity for problem in problems] == [Severity.WARNING]
    assert words in f"{problems[0].message}; {problems[0].remedy}"
    assert isinstance(parse("x.md", FRONT + body), ParsedIssue)


def test_all_problems_are_raised_at_once() -> None:
    with pytest.raises(IssueHasProblems) as caught:
        parse("x.md", FRONT + "[x](y)\n\n[](https://e.org/)")
    assert len(caught.value.problems) == 2
    assert len(str(caught.value).splitlines()) == 2


def test_file_that_is_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(b"a\nb\xff")
    with pytest.raises(IssueInvalid, match=r"x\.md:2:1: error: not UTF-8"):
        read(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(IssueInvalid, match="mailer issue new"):
        read(tmp_path / "none.md")


def test_windows_file_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(b"\xef\xbb\xbf" + FRONT.replace("\n", "\r\n").encode() + b"a\r\nb")
    assert read(path) == FRONT + "a\nb"
