"""Whatever stands in an issue, the linter answers: no exception, no end of time."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.issue.rules import Rule
from mailer.lint.lint import lint
from mailer.lint.style import declarations, rules

HEAD = "---\nsubject: a\nnumber: 1\npreheader: b\n---\n"
PIECES = [
    *("#", "## 1. A", "### ", "####", "> ", "- ", "1. ", "---", "===", "```", "    ", "\n", "\n\n"),
    *("[a](https://e.org/)", "[here](http://e.org)", "[x](", "](", "![", "![](a.png)", "![a](b:"),
    *("<https://e.org>", "<b>", "<!--", "-->", "https://e.org/,", "mailto:", "&#0;", "&amp;"),
    *("{{ subscriber.name }}", "{{", "}}", "{% if subscriber.name %}", "{% else %}", "{% endif %}"),
    *("::toc[x]", ":::card", ":::", "::about[", "{.button}", "\\", "*", "_", "~~", "`", "|"),
    *(
        "TODO",
        "www.a.example",
        "\u200b",
        "\u202e",
        "\ufffd",
        "\x00",
        "\x85",
        "\ud800",
        "🧑‍💻",
        "中文",
        "هنا",
    ),
    *(
        "lint: {off: [bare-url]}",
        "http://[::1",
        "https://a.b:99999/",
        "https://%00/",
        "//",
        "?utm_a=",
    ),
]
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=40).map(
    "".join
)
SETTINGS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def _well_formed(source: str) -> None:
    found = lint("x.md", source)
    lines = source.split("\n")
    for problem in found.problems:
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.column >= 1
        assert problem.message
        assert problem.remedy
        assert problem.rule in Rule


@SETTINGS
@given(HOSTILE)
def test_hostile_markdown(body: str) -> None:
    _well_formed(HEAD + body)


@SETTINGS
@given(HOSTILE)
def test_hostile_front_matter(front: str) -> None:
    _well_formed(f"---\nsubject: a\n{front}\n---\ntext\n")


@SETTINGS
@given(st.text(max_size=200))
def test_any_text(source: str) -> None:
    _well_formed(source)


@SETTINGS
@given(st.text(alphabet="{}()[];:,@!#.a1-%\"'\\/* \n", max_size=200))
def test_any_style(text: str) -> None:
    assert isinstance(declarations(text), tuple)
    assert isinstance(rules(text), tuple)


LARGE: dict[str, Callable[[int], str]] = {
    "links": lambda n: "\n\n".join(f"[{at}](https://e.org/{at})" for at in range(n)),
    "one link": lambda n: "[a](https://e.org/) " * n,
    "headings": lambda n: "\n\n".join(f"### Heading {at}" for at in range(n)),
    "fields": lambda n: "{{ subscriber.name }} " * n,
    "conditions": lambda n: "{% if subscriber.name %}a{% else %}b{% endif %} " * n,
    "bare URLs": lambda n: "https://e.org/ " * n,
    "placeholders": lambda n: "TODO " * n,
    "invisible": lambda n: "\u200b" * n,
}


@pytest.mark.parametrize("kind", LARGE)
def test_twice_the_text_is_twice_the_work(kind: str) -> None:
    """Counted in calls, which do not depend on the machine."""
    once, twice, four = (_calls(HEAD + LARGE[kind](n)) for n in (30, 60, 120))
    assert four - twice <= 2.5 * (twice - once) + 2000


def _calls(source: str) -> int:
    """How many functions are called to check an issue, once all that is kept is warm."""
    lint("x.md", source)
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        lint("x.md", source)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LARGE["bare URLs"](8000), id="bare URLs"),
        pytest.param(LARGE["placeholders"](20_000), id="placeholders"),
        pytest.param(LARGE["invisible"](60_000), id="invisible"),
        pytest.param("[a](https://e.org/" + "," * 100_000 + ")", id="commas"),
        pytest.param("[" + "a." * 60_000 + "](https://e.org/)", id="dots"),
        pytest.param("x" * 200_000, id="one word"),
    ],
)
def test_what_is_large_ends(body: str) -> None:
    assert len(lint("x.md", HEAD + body).problems) <= 200
