"""Where an item goes, what is the same link, and what the next issue keeps."""

from __future__ import annotations

from datetime import date

import pytest

from mailer.draft.next import next_issue, next_name
from mailer.draft.place import place_for, placed, same_link, sections
from mailer.errors import IssueInvalid
from mailer.issue.model import Contents, Item, Section
from mailer.issue.parse import examine, parse, read
from mailer.issue.rules import Severity
from mailer.issue.walk import walk
from mailer.resources import templates

SAMPLES = sorted((templates() / "sample").rglob("*.md"))
SAMPLE = read(templates() / "sample" / "issue.md")
TODAY = date(2026, 11, 24)


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_the_next_issue_has_the_bones_of_the_last(file) -> None:  # type: ignore[no-untyped-def]
    last = parse(file.name, read(file))
    text = next_issue(last, today=TODAY)
    issue, problems = examine("next.md", text)
    assert issue is not None, problems
    assert issue.front.number == (last.front.number or 0) + 1
    assert issue.front.date == TODAY
    assert issue.front.lang == last.front.lang
    assert titles(issue) == titles(last)
    kinds = [type(node) for node in walk(issue.blocks)]
    assert Item not in kinds
    assert kinds.count(Contents) == [type(n) for n in walk(last.blocks)].count(Contents)
    assert next_issue(issue, today=TODAY) == next_issue(issue, today=TODAY)


def titles(issue) -> list[object]:  # type: ignore[no-untyped-def]
    return [(b.number, b.children) for b in issue.blocks if isinstance(b, Section)]


def test_the_number_counts_on_where_it_stands() -> None:
    text = next_issue(parse("x.md", SAMPLE), today=TODAY)
    assert "  campaign: issue-31\n" in text
    assert "Sketch Your Own GAN" not in text
    assert "::subscribe[Was this passed on to you?" in text
    assert "::about[{{ newsletter.name }} is written by" in text
    assert text.count("\n---\n") <= SAMPLE.count("\n---\n")


@pytest.mark.parametrize(
    ("last", "number", "wanted"),
    [("issue-30.md", 31, "issue-31.md"), ("030-news.md", 31, "31-news.md"),
     ("issue.md", 2, "issue-2.md"), ("2026-30.md", 31, "2026-31.md")],
)  # fmt: skip
def test_names_count_on(last: str, number: int, wanted: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert next_name(tmp_path / last, number).name == wanted


def add(source: str, wanted: str | None = None, *, paper: bool = False) -> str:
    at = place_for(source, wanted, paper=paper)
    return "".join(
        placed(source.splitlines(keepends=True), at, ["### [N](https://n.example/)"], "\n")
    )


@pytest.mark.parametrize(
    ("wanted", "paper", "before", "after"),
    [
        (None, True, "learning how actions.", "---\n\n## 4."),
        (None, False, "why the second is faster.", "---\n\n::subscribe"),
        ("papers", False, "recognising actions.", "---\n\n## 4."),
        ("3", False, "recognising actions.", "---\n\n## 4."),
        ("technique", False, "what may come next.", "---\n\n## 5."),
        ("elsewhere", False, "where its weak points are.\n:::", ":::card\n[GPT-3"),
    ],
    ids=["paper", "last", "words", "number", "middle", "cards"],
)
def test_an_item_goes_to_the_end_of_its_section(
    wanted: str | None, paper: bool, before: str, after: str
) -> None:
    made = add(SAMPLE, wanted, paper=paper)
    at = made.index("### [N]")
    if wanted != "elsewhere":
        assert made[at:].startswith(f"### [N](https://n.example/)\n\n{after}")
    if wanted in ("papers", "3", "technique"):
        assert made[:at].endswith(f"{before}\n\n")
    assert made.replace("### [N](https://n.example/)\n\n", "", 1) == SAMPLE
    _, problems = examine("x.md", made)
    assert [each for each in problems if each.severity is Severity.ERROR] == []


@pytest.mark.parametrize(
    "body",
    ["Words.", "Words.\n", "Words.\n\n\n", "Words.\n\n::subscribe[x](https://x.example/)\n",
     "Words.\n\n---\n\n::about[x]\n", "- a\n- b", "> quoted\n\n\n---"],
    ids=["no-end", "plain", "blanks", "subscribe", "about", "list", "rule"],
)  # fmt: skip
def test_a_draft_without_sections(body: str) -> None:
    made = add(f'---\nsubject: "x"\n---\n\n{body}')
    issue, problems = examine("x.md", made)
    assert issue is not None, problems
    assert any(isinstance(block, Item) for block in issue.blocks)
    assert sections(made) == []


@pytest.mark.parametrize("wanted", ["pap", "e", "nothing", "9", ""])
def test_a_section_that_is_not_clear(wanted: str) -> None:
    if wanted == "pap":
        assert place_for(SAMPLE, wanted, paper=False)
        return
    with pytest.raises(IssueInvalid, match="there are: "):
        place_for(SAMPLE, wanted, paper=False)


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://arxiv.org/pdf/2108.02774", True),
        ("http://www.arxiv.org/abs/2108.02774", True),
        ("https://arxiv.org/abs/2108.02775", False),
        ("http://bdtechtalks.com/2021/09/10/computer-vision-deep-learning-threat-detection?utm_source=x",
         True),
        ("https://bdtechtalks.com/2021/09/10/computer-vision", False),
        ("https://twitter.com/PyTorch/status/1437838231505096708", False),
        ("https://twitter.com/PyTorch/status/1437838231505096708?s=20", True),
        ("https://[", False),
    ],
)  # fmt: skip
def test_the_same_link(url: str, known: bool) -> None:
    assert bool(list(same_link(parse("x.md", SAMPLE), url))) is known
