"""Rendering once and filling in later gives what rendering for each person would have given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html

from mailer.issue.expression import evaluate, holds
from mailer.issue.model import Alternative, Choice, Link, Merge, ParsedIssue, Picture, Text
from mailer.issue.parse import parse, read
from mailer.render.escape import escape
from mailer.render.model import Escape, NewsletterLook, SystemSlot
from mailer.render.preview import fill
from mailer.render.render import constants, render

LOOK = NewsletterLook(
    name="Weekly", from_name="W", postal_address="1 Street", url="https://w.example/"
)
SYSTEM = {
    SystemSlot.UNSUBSCRIBE_URL: "https://w.example/u?a=1&b=2",
    SystemSlot.ARCHIVE_URL: "https://w.example/a",
}
STRUCTURE = Path(__file__).parents[2] / "data" / "issues" / "structure.md"
ISSUE = parse("structure.md", read(STRUCTURE))
RENDERING = render(ISSUE, LOOK)

WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "{{ 7*7 }}",
            "{% if x %}",
            "<b>&amp;\"'",
            "\\u{200d}",
            "👩‍👩‍👧",
            "a\r\nb",
            "%s %%",
            "نام",
        ]
    ),
)
PEOPLE = st.fixed_dictionaries(
    {
        "name": WORDS,
        "email": WORDS,
        "id": st.integers(),
        "attributes": st.fixed_dictionaries(
            {
                "plan": st.sampled_from(["pro", "free", ""]),
                "city": WORDS,
                "page": st.sampled_from(["https://e.org/?a=1&b=%20", "javascript:alert(1)", ""]),
            }
        ),
    }
)


class _RenderFirst:
    """An issue in which every merge field and condition is replaced by what one person has."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def issue(self, issue: ParsedIssue) -> ParsedIssue:
        front = dataclasses.replace(issue.front, subject=self.all(issue.front.subject))
        return dataclasses.replace(issue, front=front, blocks=self.all(issue.blocks))

    def all(self, nodes: tuple[object, ...]) -> tuple[object, ...]:
        done: list[object] = []
        for node in nodes:
            if isinstance(node, Choice | Alternative):
                side = node.then if holds(node.condition, self._fields) else node.otherwise
                done.extend(self.all(side))
            elif isinstance(node, Merge) and node.expression.source.startswith("message."):
                done.append(node)
            elif isinstance(node, Merge):
                done.append(Text(text=escape(self._text(node), Escape.TEXT)))
            else:
                done.append(self.one(node))
        return tuple(done)

    def one(self, node: object) -> object:
        if isinstance(node, tuple):
            return self.all(node)
        if not dataclasses.is_dataclass(node) or isinstance(node, type):
            return node
        changed = {f.name: self.one(getattr(node, f.name)) for f in dataclasses.fields(node)}
        if isinstance(node, Link | Picture):
            changed["url"] = self._url(node.url)
        return dataclasses.replace(node, **changed)

    def _text(self, node: Merge) -> str:
        value = evaluate(node.expression, self._fields)
        return value if isinstance(value, str) else str(value).lower()

    def _url(self, url: tuple[Text | Merge, ...]) -> tuple[Text | Merge, ...]:
        if len(url) == 1:
            return url
        return tuple(
            Text(text=quote(escape(self._text(part), Escape.TEXT), safe=""))
            if isinstance(part, Merge)
            else part
            for part in url
        )


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(person=PEOPLE)
def test_personalise_last_equals_render_first(person: dict[str, object]) -> None:
    fields = {"subscriber": person, **constants(ISSUE, LOOK)}
    last = fill(RENDERING, fields, SYSTEM)
    first = fill(render(_RenderFirst(fields).issue(ISSUE), LOOK), fields, SYSTEM)
    assert last.subject == first.subject
    assert _lines(last.text) == _lines(first.text)
    assert _dom(last.html) == _dom(first.html)
    assert RENDERING.nonce not in last.html + last.text + last.subject


def _lines(text: str) -> list[str]:
    """The text's lines; blanks at their ends and lines of nothing show nowhere."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _dom(page: str) -> bytes:
    """The document without its title (everybody's is the same) and without empty differences."""
    root = lxml_html.fromstring(page)
    for title in root.iter("title"):
        title.text = ""
    return etree.tostring(root, method="c14n")
