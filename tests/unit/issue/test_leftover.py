"""Markdown that became nothing is told; what is meant as it stands is not."""

from __future__ import annotations

import pytest

from mailer.issue.check import check

HEAD = "---\nsubject: a\npreheader: b\nnumber: 1\n---\n"


def _found(body: str) -> list[tuple[str, int, int]]:
    return [(each.rule.value, each.line, each.column) for each in check("x.md", HEAD + body)]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(r"\*\*a\*\* \[x\](https://e.example/a b) \`b", id="escaped"),
        pytest.param(r"\&nope; \{.button}", id="escaped, too"),
        pytest.param("2**3 is 8, 5 * 3 * 2, x[i][j], a_b_c, f(x)[0]", id="arithmetic"),
        pytest.param("`**` and `[x] (https://e.example/)` and `<!--`", id="code"),
        pytest.param("```\n| a | b |\n| --- | --- |\n{name} **\n```", id="code block"),
        pytest.param("#machinelearning is a word, so is C# and #1", id="hashtag"),
        pytest.param("100% of them, 5%, {a, b, c}, |x| < 2, [sic]", id="prose"),
        pytest.param("**注意：**这里 R&D; AT&T", id="ampersand"),
        pytest.param("São Paulo, NOÇÃO, Ângela, ÂME", id="letters with marks"),
        pytest.param("> ```\n> x\n> ```", id="code in a quote"),
        pytest.param("- ```\n  x\n  ```\n- b", id="code in a list"),
        pytest.param("[a](https://e.example/ 'its title')", id="title"),
        pytest.param("<!-- TODO [x][y] ** -->\n\ntext", id="comment"),
        pytest.param("[https://e.example/](https://e.example/)", id="address as text"),
        pytest.param("[gap]: https://e.example/\n\n[the gap][gap]", id="reference"),
    ],
)
def test_nothing_is_said_of(body: str) -> None:
    assert _found(body) == []


@pytest.mark.parametrize(
    ("body", "rule", "line", "column"),
    [
        pytest.param("See [a](https://e.example/", "leftover-markup", 6, 7, id="not closed"),
        pytest.param("(a)[https://e.example/]", "leftover-markup", 6, 1, id="wrong way round"),
        pytest.param("so[^1]", "leftover-markup", 6, 3, id="footnote"),
        pytest.param("a\n\n- b **c", "leftover-markup", 8, 5, id="in a list"),
        pytest.param("## A `b", "leftover-markup", 6, 6, id="in a heading"),
        pytest.param("_a **b_", "leftover-markup", 6, 4, id="in italics"),
        pytest.param("say ::about[x]", "leftover-markup", 6, 5, id="block in a line"),
        pytest.param("a <!-- b", "leftover-markup", 6, 3, id="comment in a line"),
        pytest.param("a\n\n<!-- b\n\nc", "raw-html", 8, 1, id="comment"),
        pytest.param("<!-- a -->\n<!-- b\n\nc", "raw-html", 7, 1, id="second comment"),
        pytest.param("> ~~~\n> a", "leftover-markup", 6, 1, id="code in a quote"),
        pytest.param("{% else if subscriber.name %}", "merge-field", 6, 1, id="else if"),
        pytest.param("Hi {name|there},", "foreign-field", 6, 4, id="braces"),
        pytest.param("Hi %recipient.first%,", "foreign-field", 6, 4, id="percent"),
        pytest.param("## See https://e.example/a", "bare-url", 6, 8, id="URL in a heading"),
        pytest.param("**https://e.example/a**", "bare-url", 6, 3, id="bold URL"),
        pytest.param("# TBD", "placeholder", 6, 3, id="placeholder in a heading"),
    ],
)
def test_it_is_told_where(body: str, rule: str, line: int, column: int) -> None:
    assert _found(body) == [(rule, line, column)]


def test_a_field_below_a_comment_that_is_not_closed_is_still_one() -> None:
    assert _found("`<!--` {{ subscriber.nope }}") == [("merge-field", 6, 8)]
