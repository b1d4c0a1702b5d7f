"""Every component of MJML that themes may use looks as the reference implementation draws it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import html as lxml_html

from mailer.issue.parse import parse
from mailer.render import html as html_stage
from mailer.render.chromium import Page
from mailer.render.mjml_check import check
from mailer.render.model import NewsletterLook
from mailer.render.render import render
from mailer.resources import templates
from tests.services.judges import Node

DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP8AACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="
COLUMN = {
    "mj-text": '<mj-text font-size="20px" color="#0b6b5d" padding="4px 8px">Text</mj-text>',
    "mj-button": '<mj-button href="https://e.org/" border-radius="4px">Go</mj-button>',
    "mj-image": f'<mj-image src="{DOT}" alt="a" width="80px" height="40px" />',
    "mj-divider": '<mj-divider border-width="3px" border-color="red" width="50%" />',
    "mj-spacer": '<mj-text>a</mj-text><mj-spacer height="40px" /><mj-text>b</mj-text>',
    "mj-table": '<mj-table cellpadding="4"><tr><td>a</td><td>b</td></tr></mj-table>',
    "mj-raw": "<mj-text>a</mj-text><mj-raw><!-- kept --></mj-raw>",
    "mj-social": (
        f'<mj-social mode="horizontal"><mj-social-element src="{DOT}" href="https://e.org/">'
        "One</mj-social-element></mj-social>"
    ),
    "mj-navbar": '<mj-navbar><mj-navbar-link href="https://e.org/">One</mj-navbar-link></mj-navbar>',
    "mj-accordion": (
        f'<mj-accordion icon-wrapped-url="{DOT}" icon-unwrapped-url="{DOT}"><mj-accordion-element>'
        "<mj-accordion-title>One</mj-accordion-title><mj-accordion-text>Two</mj-accordion-text>"
        "</mj-accordion-element></mj-accordion>"
    ),
}
BODY = {
    "mj-group": (
        "<mj-section><mj-group><mj-column><mj-text>a</mj-text></mj-column>"
        "<mj-column><mj-text>b</mj-text></mj-column></mj-group></mj-section>"
    ),
    "mj-wrapper": (
        '<mj-wrapper background-color="#eeeeee" padding="9px" border="1px solid red"><mj-section>'
        "<mj-column><mj-text>a</mj-text></mj-column></mj-section></mj-wrapper>"
    ),
    "mj-hero": (
        '<mj-hero mode="fixed-height" height="200px" background-color="#123456">'
        '<mj-text color="#ffffff">a</mj-text></mj-hero>'
    ),
}
PARTS = BODY | {
    name: f"<mj-section><mj-column>{part}</mj-column></mj-section>" for name, part in COLUMN.items()
}


SOURCES = {name: f"<mjml><mj-body>{part}</mj-body></mjml>" for name, part in PARTS.items()}


@pytest.fixture(scope="module")
def references(node: Node) -> dict[str, str]:
    """What the reference makes of each component."""
    return dict(zip(SOURCES, node.mjml(list(SOURCES.values())), strict=True))


@pytest.mark.parametrize("name", SOURCES)
def test_a_component_looks_like_the_references(
    browser: Page, references: dict[str, str], name: str
) -> None:
    source = SOURCES[name]
    assert check(source) == ()
    ours = html_stage.transform(source, "", "t")
    theirs = html_stage._inline(references[name], "")
    for width in (375, 700):
        pictures = []
        for page in (ours, theirs):
            browser.show(page, width=width)
            pictures.append(browser.picture(width=width))
        assert pictures[0] == pictures[1]


def test_inline_styles_of_a_theme_are_inlined(tmp_path: Path) -> None:
    for file in (templates() / "issue" / "letter").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    layout = tmp_path / "layout.mjml.j2"
    style = (
        '<mj-head><mj-style inline="inline">.paragraph { text-indent: 3px }</mj-style></mj-head>'
    )
    layout.write_text(layout.read_text().replace('{% include "head.mjml.j2" %}', style, 1))
    look = NewsletterLook(name="W", from_name="W", postal_address="S", url="https://w.example/")
    made = render(parse("x.md", '---\nsubject: "x"\n---\nText.\n'), look, theme=str(tmp_path))
    page = lxml_html.fromstring(made.html)
    assert "text-indent:3px" in page.find_class("paragraph")[0].get("style", "").replace(" ", "")
