"""Which gaps are found, and that nothing but them changes."""

from __future__ import annotations

import pytest

from mailer.draft.enrich import Gap, filled, filling, gaps
from mailer.draft.facts import PageFacts, decoded, facts_of
from mailer.issue.model import Card, Item
from mailer.issue.parse import examine

FRONT = '---\nsubject: "x"\n---\n\n'
FACTS = PageFacts(
    title="A *title*",
    description="What it is about.",
    image="https://x.example/i.png",
    image_words="A pear",
)


def find(body: str) -> list[Gap]:
    return gaps(FRONT + body)


def fill(body: str) -> str:
    source = FRONT + body
    found = {gap.line: filling(gap, FACTS) for gap in gaps(source)}
    return "".join(filled(source.splitlines(keepends=True), found, "\n")).removeprefix(FRONT)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("### https://x.example/a\n", "### [A \\*title\\*](https://x.example/a)\n"),
        ("### [](https://x.example/a)\n\nMy words.\n",
         "### [A \\*title\\*](https://x.example/a)\n\nMy words.\n"),
        ("### <https://x.example/a>\n", "### [A \\*title\\*](https://x.example/a)\n"),
        ("### [x.example/a](https://x.example/a)\n", "### [A \\*title\\*](https://x.example/a)\n"),
        ("### [Mine](https://arxiv.org/abs/1706.03762)\n\nMy words.\n",
         "### [Mine](https://arxiv.org/abs/1706.03762)\n\n[1706.03762] A \\*title\\*\n\n"
         "My words.\n"),
        (":::card\nhttps://x.example/a\n:::\n",
         ":::card\n[A \\*title\\*](https://x.example/a)\n![A pear](https://x.example/i.png)\n"
         "What it is about.\n:::\n"),
        (":::card\n[Mine](https://x.example/a)\n:::\n",
         ":::card\n[Mine](https://x.example/a)\n![A pear](https://x.example/i.png)\n"
         "What it is about.\n:::\n"),
        (":::card\n[Mine](https://x.example/a)\nMy words.\n:::\n",
         ":::card\n[Mine](https://x.example/a)\n![A pear](https://x.example/i.png)\n"
         "My words.\n:::\n"),
        (":::card\r\n[Mine](https://x.example/a)\r\n![p](p.png)\r\n:::",
         ":::card\r\n[Mine](https://x.example/a)\r\nWhat it is about.\r\n![p](p.png)\r\n:::"),
    ],
    ids=["bare", "empty", "angle", "placeholder", "paper", "card", "card-title", "card-words",
         "crlf"],
)  # fmt: skip
def test_gaps_are_filled(body: str, wanted: str) -> None:
    assert fill(body) == wanted
    issue, problems = examine("x.md", (FRONT + wanted).replace("\r\n", "\n"))
    assert issue is not None, problems
    assert isinstance(issue.blocks[0], Item | Card)
    again = [gap for gap in find(wanted) if filling(gap, FACTS).done]
    assert again == []


@pytest.mark.parametrize(
    "body",
    [
        "### [Mine](https://x.example/a)\n",
        "### [Mine](https://arxiv.org/abs/1706.03762)\n\n**[1706.03762] Its title**\n",
        "### [](https://x.example/{{ subscriber.id }})\n",
        "```\n### https://x.example/a\n```\n",
        "<!--\n### https://x.example/a\n-->\n",
        "    ### https://x.example/a\n",
        ":::card\n[Mine](https://x.example/a)\n![p](p.png)\nWords.\n:::\n",
        ":::card\n{{ newsletter.url }}\n:::\n",
        "## 1. https://x.example/a and more\n",
        "https://x.example/a\n",
    ],
    ids=["whole", "paper", "field", "code", "comment", "indented", "card", "field-card", "section",
         "text"],
)  # fmt: skip
def test_what_the_author_wrote_is_no_gap(body: str) -> None:
    assert find(body) == []
    assert fill(body) == body


PAGE = """<html><head><title>Own {title}</title>
<meta property="og:title" content="{title}"><meta name="description" content="D &amp; d">
<meta property="og:image" content="/i.png"></head><body>x</body></html>"""


@pytest.mark.parametrize(
    ("charset", "declared", "header"),
    [
        ("utf-8", "", "text/html"),
        ("utf-8", "", "text/html; charset=UTF-8"),
        ("shift_jis", "shift_jis", "text/html"),
        ("gb18030", "", "text/html; charset=gb2312"),
        ("utf-16", "", "text/html; charset=iso-8859-1"),
        ("utf-8-sig", "shift_jis", "text/html"),
        ("utf-8", "zip", "text/html; charset=rot13"),
        ("utf-8", "nonsense", "text/html; charset=\"bogus\""),
    ],
    ids=["none", "header", "meta", "header-alias", "utf-16", "bom", "no-text-codec", "unknown"],
)  # fmt: skip
def test_a_page_in_any_charset(charset: str, declared: str, header: str) -> None:
    page = PAGE.format(title="東京 & 北京")
    page = page.replace("<head>", f'<head><meta charset="{declared}">') if declared else page
    facts = facts_of(page.encode(charset), header, "https://x.example/p/q")
    assert facts.title == "東京 & 北京"
    assert facts.description == "D & d"
    assert facts.image == "https://x.example/i.png"


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00" * 99, b"<", b"<html", b"\xff\xfe", b"%PDF-1.7 \xff\xfe\x00", b"<title>",
     b"<!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><title>&x;</title>",
     b"<html>" + b"<div>" * 50_000, b"<meta property=og:title>" * 1000],
    ids=["empty", "zeros", "open", "half", "mark", "pdf", "no-end", "entity", "deep", "many"],
)  # fmt: skip
def test_a_page_that_makes_no_sense_says_nothing_bad(body: bytes) -> None:
    facts = facts_of(body, "text/html", "https://x.example/")
    assert "root:" not in facts.title
    assert facts.image == ""
    assert isinstance(decoded(body, ""), str)


def test_a_script_in_a_title_is_words() -> None:
    page = "<title>&lt;script&gt;x&lt;/script&gt; [a](b) {{ c }}</title>"
    facts = facts_of(page.encode(), "text/html", "https://x.example/")
    assert facts.title == "<script>x</script> [a](b) {{ c }}"


@pytest.mark.parametrize(
    "source",
    ["javascript:x", "http://x.example/i.png", "data:image/png,x", "//[", "file:///i", " "],
)
def test_an_image_that_mail_programs_must_not_load(source: str) -> None:
    page = f'<meta property="og:image" content="{source}">'
    assert facts_of(page.encode(), "text/html", "https://x.example/").image == ""
