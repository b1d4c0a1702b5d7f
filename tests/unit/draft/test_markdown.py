"""Words of others stay words, whatever stands in them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.draft.markdown import escaped, link, plain
from mailer.issue.model import Item, Paragraph, Text
from mailer.issue.parse import examine

FRONT = '---\nsubject: "x"\n---\n'


@given(st.text(max_size=60))
@example("{{ 7*7 }} {% if x %} {# y #}")
@example("<!-- --><script>alert(1)</script>")
@example("[a](javascript:x) ![b](c) **d** _e_ `f` ~~g~~ &amp; \\ <https://x.example>")
@example("1. one")
@example("# one")
@example("--- {.button}")
@example("::toc[x]")
@example("snake_case and __init__ {%")
@example("!<!-- !{")
def test_any_title_and_description_come_out_as_they_went_in(text: str) -> None:
    words = plain(text, 200)
    if not words:
        return
    source = f"{FRONT}### {link(words, 'https://x.example/a')}\n\n{escaped(words)}\n"
    issue, problems = examine("x.md", source)
    assert issue is not None, (words, problems)
    (item,) = issue.blocks
    assert isinstance(item, Item)
    assert said(item.link.children) == words
    (paragraph,) = item.blocks
    assert isinstance(paragraph, Paragraph)
    assert said(paragraph.children) == words


def said(inlines: tuple[object, ...]) -> str:
    assert all(isinstance(each, Text) for each in inlines), inlines
    text = "".join(each.text for each in inlines if isinstance(each, Text))
    return re.sub(r"[ \n]+", " ", text)


@pytest.mark.parametrize(
    ("text", "most", "wanted"),
    [
        ("  a\n\tb\u2028c  ", 9, "a bc"),
        ("one two three", 9, "one two…"),
        ("abcdefghij", 5, "abcd…"),
        ("\u202eevil\u200b\x00", 9, "evil"),
    ],
    ids=["blanks", "cut-between-words", "cut-within", "controls"],
)
def test_plain(text: str, most: int, wanted: str) -> None:
    assert plain(text, most) == wanted


def test_a_url_stays_within_its_parentheses() -> None:
    assert link("x", "https://x.example/a_(b) c") == "[x](https://x.example/a_%28b%29%20c)"
