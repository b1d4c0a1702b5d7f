"""Each mistake in a theme's MJML is named with its file, line and column."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailer.errors import ThemeInvalid
from mailer.issue.parse import parse
from mailer.render.mjml import compose
from mailer.render.mjml_check import MAX_DEPTH, check
from mailer.render.model import NewsletterLook
from mailer.render.slots import SlotBook
from mailer.render.theme import known, load
from mailer.resources import templates

LOOK = NewsletterLook(name="W", from_name="W", postal_address="1 Street", url="https://w.example/")
ISSUE = parse("x.md", '---\nsubject: "x"\n---\nText.\n')


def _body(inside: str) -> str:
    return (
        "<mjml><mj-body><mj-section><mj-column>\n"
        f"{inside}\n</mj-column></mj-section></mj-body></mjml>"
    )


def _head(inside: str) -> str:
    return f"<mjml><mj-head>\n{inside}\n</mj-head><mj-body></mj-body></mjml>"


def _words(mjml: str) -> list[str]:
    return [each.message for each in check(mjml)]


@pytest.mark.parametrize(
    ("mjml", "words"),
    [
        pytest.param(_body("<mj-txt>a</mj-txt>"), "did you mean <mj-text>?", id="unknown tag"),
        pytest.param(_body("<p>a</p>"), "put HTML into mj-text", id="HTML in a column"),
        pytest.param(_body('<mj-text colour="red">a</mj-text>'), "did you mean color?", id="attr"),
        pytest.param(_body('<mj-text font-size="16">a</mj-text>'), "a number in px", id="no unit"),
        pytest.param(_body('<mj-text font-size="1rem">a</mj-text>'), "in px", id="wrong unit"),
        pytest.param(
            _body('<mj-text padding="1px 2px 3px 4px 5px">a</mj-text>'), "up to four", id="5"
        ),
        pytest.param(_body('<mj-text padding="-4px">a</mj-text>'), "in px or %", id="negative"),
        pytest.param(_body('<mj-text color="grean">a</mj-text>'), "a colour like", id="colour"),
        pytest.param(_body('<mj-text align="start">a</mj-text>'), "left or right", id="choice"),
        pytest.param(_body('<mj-table cellpadding="a"></mj-table>'), "whole number", id="integer"),
        pytest.param(_body("<mj-section></mj-section>"), "can't stand in <mj-column>", id="parent"),
        pytest.param(_body("lost"), "text in <mj-column> is dropped", id="text"),
        pytest.param(_body("<mj-text><mj-button>a</mj-button></mj-text>"), "in HTML", id="in text"),
        pytest.param(_body("<mj-text>a"), "<mj-text> is not closed", id="unclosed"),
        pytest.param(_body("a</mj-text>"), "</mj-text> closes nothing", id="not opened"),
        pytest.param(_body("<mj-text><p>a</mj-text>"), "not well-formed", id="unclosed HTML"),
        pytest.param(_body("<mj-text>&nope;</mj-text>"), "not well-formed", id="entity"),
        pytest.param(
            _body('<mj-social><mj-social-element name="x">a</mj-social-element></mj-social>'),
            "vendor's host",
            id="icon from elsewhere",
        ),
        pytest.param(
            _head("<mj-html-attributes></mj-html-attributes>"), "does nothing", id="html-a"
        ),
        pytest.param(_head("<mj-preview>a</mj-preview>"), "with mj-raw", id="preview"),
        pytest.param(_head('<mj-include path="a.mjml" />'), "{% include", id="include"),
        pytest.param(
            _head(
                '<mj-attributes><mj-class name="a"><mj-text color="red" /></mj-class>'
                "</mj-attributes>"
            ),
            "write another mj-class",
            id="nested class",
        ),
        pytest.param(
            _head('<mj-attributes><mj-all colr="red" /></mj-attributes>'), "color?", id="all"
        ),
        pytest.param(
            _head('<mj-attributes><mj-txt color="red" /></mj-attributes>'), "mj-text", id="d"
        ),
        pytest.param("<mjml><mj-raw>a</mj-raw><mj-body /></mjml>", "dropped here", id="top raw"),
        pytest.param("<mj-body></mj-body>", "begin with <mjml>", id="root"),
        pytest.param(
            '<mjml><mj-body><mj-wrapper gap="4px"></mj-wrapper></mj-body></mjml>',
            "padding",
            id="gap",
        ),
        pytest.param(
            _body(f"<mj-text>{'<i>' * MAX_DEPTH}{'</i>' * MAX_DEPTH}</mj-text>"),
            "nested deeper than 60 levels",
            id="deep",
        ),
        pytest.param(_body("<mj-text>" + "<i>" * 9000), "not closed", id="a bomb"),
    ],
)
def test_mistakes(mjml: str, words: str) -> None:
    found = _words(mjml)
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize(
    "inside",
    [
        '<mj-text padding="0 4px" padding-top="0" line-height="1.6">a</mj-text>',
        '<mj-text css-class="a" mj-class="b">a</mj-text>',
        '<mj-image src="https://e.org/a.png" alt="a" width="10px" fluid-on-mobile="true" />',
        '<mj-button href="https://e.org/" inner-padding="1px 2px">a</mj-button>',
        "<mj-table><tr><td>a</td></tr></mj-table>",
        '<mj-divider border-width="1px" /><mj-spacer height="4px" /><mj-raw><!--a--></mj-raw>',
        '<mj-text color="rgba(0, 0, 0, .5)" letter-spacing="-0.5px">a</mj-text>',
        '<mj-text color="transparent">a</mj-text><mj-text color="AliceBlue">b</mj-text>',
        "<mj-accordion><mj-accordion-element><mj-accordion-title>a</mj-accordion-title>"
        "<mj-accordion-text>b</mj-accordion-text></mj-accordion-element></mj-accordion>",
        '<mj-navbar><mj-navbar-link href="https://e.org/">a</mj-navbar-link></mj-navbar>',
    ],
)
def test_what_is_right_passes(inside: str) -> None:
    assert _words(_body(inside)) == []


def _theme(folder: Path, old: str, new: str, file: str = "layout.mjml.j2") -> str:
    ours = templates() / "issue" / "letter"
    for each in ours.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    return str(folder)


def _refusal(theme: str) -> str:
    book = SlotBook(nonce=ISSUE.nonce, constants={})
    with pytest.raises(ThemeInvalid) as caught:
        compose(ISSUE, LOOK, load(theme), book, lang="en")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "words"),
    [
        pytest.param("<mj-column>", "<mj-colum>", 6, 7, "not closed", id="one end of a pair"),
        pytest.param('align="center"', 'align="middle"', 7, 9, "must be left or", id="value"),
        pytest.param(
            '<mj-text css-class="row"><hr class',
            "<mj-txt/><mj-text><hr class",
            8,
            9,
            "mj-text>?",
            id="tag",
        ),
        pytest.param("say.view", "say.vieww", 11, 1, "vieww", id="undefined"),
        pytest.param("{{ say.view }}", "{{ say.view ", 11, 1, "expected", id="template syntax"),
        pytest.param("{{ say.view }}", "{{ 1 / 0 }}", 11, 1, "division", id="arithmetic"),
        pytest.param("{{ say.view }}", "{{ issue }}", 11, 1, "prints words", id="no words"),
        pytest.param("{{ say.view }}", "{{ rows }}", 11, 1, "| blocks", id="blocks"),
        pytest.param("{{ say.view }}", "{{ say.view | block }}", 11, 1, "", id="wrong filter"),
        pytest.param(
            "{{ say.view }}", "{{ 'x' * 900000000 }}", 11, 1, "numbers only", id="multiplied text"
        ),
        pytest.param(
            "{{ say.view }}", "{{ range(10 ** 9) }}", 11, 1, "** is not there", id="power"
        ),
        pytest.param(
            "{{ say.view }}",
            "{% for _ in range(999999999) %}{% endfor %}",
            11,
            1,
            "Range too big",
            id="range",
        ),
    ],
)
def test_places_are_those_of_the_template(
    tmp_path: Path, old: str, new: str, line: int, column: int, words: str
) -> None:
    refusal = _refusal(_theme(tmp_path, old, new))
    assert refusal.startswith(f"{tmp_path}/layout.mjml.j2:{line}:{column}: "), refusal
    assert words in refusal


@pytest.mark.parametrize("name", known())
def test_our_themes_have_no_mistakes(name: str) -> None:
    book = SlotBook(nonce=ISSUE.nonce, constants={})
    assert "mj-at=" not in compose(ISSUE, LOOK, load(name), book, lang="en").mjml


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('ink = "#25211c"', 'ink = "black"', "a colour like"),
        ('muted = "#6b6358"', 'muted = "#b5aea5"', "muted on page is too faint"),
        ("width = 600", 'width = "600"', "number of pixels from 320 to 900"),
        ("radius", "radios", "there is no radios in [shape]"),
        ("[social]", "[socials]", "there is no table [socials]"),
        ('logo = ""', 'logo = "logo.png"', "URL of an image"),
        ('logo = ""', 'logo = "http://e.example/logo.png"', "https://"),
        ("size = 18", "size = 18 px", "not valid TOML"),
    ],
)
def test_mistakes_in_brand(tmp_path: Path, old: str, new: str, words: str) -> None:
    theme = _theme(tmp_path, old, new, "brand.toml")
    before = (tmp_path / "brand.toml").read_text().partition(new)[0]
    line = before.count("\n") + 1
    with pytest.raises(ThemeInvalid) as caught:
        load(theme)
    assert str(caught.value).startswith(f"{tmp_path}/brand.toml:{line}:")
    assert words in str(caught.value)


def test_social_links(tmp_path: Path) -> None:
    brand = load(_theme(tmp_path, "# Mastodon", "Mastodon", "brand.toml")).brand
    assert brand.social == (("Mastodon", "https://example.social/@newsletter"),)


def test_a_changed_brand_counts_at_once(tmp_path: Path) -> None:
    theme = _theme(tmp_path, "width = 600", "width = 580", "brand.toml")
    assert load(theme).brand.shape.width == 580
    file = tmp_path / "brand.toml"
    file.write_text(file.read_text().replace("580", "620"))
    os.utime(file, ns=(1, 1))
    assert load(theme).brand.shape.width == 620
