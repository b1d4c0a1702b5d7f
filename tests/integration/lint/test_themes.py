"""What the linter finds in a theme, told on the lines of the issue that shows it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from lxml.html import HtmlElement, document_fromstring

from mailer.issue.model import Problem
from mailer.issue.parse import examine, read
from mailer.issue.readers import Readers
from mailer.issue.rules import Rule
from mailer.lint import support
from mailer.lint.lint import SAMPLE_LOOK, lint
from mailer.lint.page import Page
from mailer.render import child
from mailer.render.images import Gallery, gather
from mailer.render.model import NewsletterLook
from mailer.render.render import render
from mailer.render.theme import load
from mailer.resources import templates
from tests.integration.render.test_components import SOURCES

ISSUE = """---
subject: a
preheader: b
number: 1
---

::toc[Contents]

## 1. One

Words in a paragraph.

:::card
[A page](https://e.org/page)
What it says.
:::
"""
SAMPLES = sorted((templates() / "sample").rglob("*.md"))
THEMES = ("letter", "digest", "magazine")


@pytest.fixture
def theme(tmp_path: Path) -> Path:
    """A theme of the user's own."""
    folder = tmp_path / "mine"
    shutil.copytree(templates() / "issue" / "digest", folder)
    for part in ("foot.mjml.j2", "name.html.j2"):
        shutil.copy(templates() / "issue" / "parts" / part, folder / part)
    return folder


def _add(theme: Path, name: str, text: str) -> None:
    file = theme / name
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def _change(theme: Path, name: str, old: str, new: str) -> None:
    file = theme / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def _problems(theme: Path, look: NewsletterLook = SAMPLE_LOOK) -> tuple[Problem, ...]:
    return lint("x.md", ISSUE, look=look, theme=str(theme)).problems


def _only(theme: Path, rule: Rule) -> Problem:
    (problem,) = _problems(theme)
    assert problem.rule is rule, str(problem)
    assert problem.path == "x.md"
    return problem


def test_an_unchanged_copy_has_no_problem(theme: Path) -> None:
    assert _problems(theme) == ()


def test_faint_text_in_light(theme: Path) -> None:
    _add(theme, "theme.css.j2", "\n.paragraph { color: #bbbbbb }\n")
    problem = _only(theme, Rule.CONTRAST)
    assert problem.line == 11
    assert "#bbbbbb on #ffffff" in problem.message
    assert "light" in problem.message
    lines = (theme / "theme.css.j2").read_text(encoding="utf-8").split("\n")
    number = next(n for n, line in enumerate(lines, start=1) if "#bbbbbb" in line)
    assert f"theme.css.j2:{number}" in problem.remedy


def test_a_ground_that_dark_mode_forgot(theme: Path) -> None:
    _add(theme, "theme.css.j2", "\n.paragraph { background-color: #ffffff }\n")
    problem = _only(theme, Rule.CONTRAST)
    assert problem.line == 11
    assert "on #ffffff" in problem.message
    assert "dark mode" in problem.message


def test_an_image_behind_text_is_not_judged(theme: Path) -> None:
    _add(theme, "theme.css.j2", "\n.card { background: url(https://e.org/x.png); color: #fff }\n")
    assert Rule.CONTRAST not in {each.rule for each in _problems(theme)}


@pytest.mark.parametrize(
    ("css", "line", "words"),
    [
        pytest.param(".card { box-shadow: 0 1px 2px #000000 }", 13, "box-shadow", id="property"),
        pytest.param(".contents-title { display: grid }", 7, "display:grid", id="value"),
        pytest.param(".paragraph { width: clamp(1px, 2px, 3px) }", 11, "clamp()", id="function"),
        pytest.param(".paragraph { text-indent: 2vmin }", 11, "vmin unit", id="unit"),
    ],
)
def test_style_that_some_programs_lack(theme: Path, css: str, line: int, words: str) -> None:
    _add(theme, "theme.css.j2", f"\n{css}\n")
    problem = _only(theme, Rule.UNSUPPORTED)
    assert problem.line == line
    assert words in problem.message
    assert "Outlook" in problem.message
    assert "theme.css.j2:" in problem.remedy


def test_rules_and_elements_that_some_programs_lack(theme: Path) -> None:
    _add(
        theme,
        "client.css.j2",
        "\n.link:hover { color: #000000 }\n@supports (gap: 1px) { a { gap: 1px } }\n",
    )
    _add(theme, "name.html.j2", "<video src='https://e.org/v.mp4'></video>")
    found = {each.message.partition(" is not")[0] for each in _problems(theme)}
    assert found == {":hover", "@supports", "<video> element"}


def test_a_large_style(theme: Path) -> None:
    _add(theme, "client.css.j2", "\n.x { color: #000000 }" * 800)
    assert "Gmail leaves out" in _only(theme, Rule.STYLE_SIZE).message


def test_a_template_that_leaves_out_a_link(theme: Path) -> None:
    (theme / "card.html.j2").write_text("<p>{{ block.link.children | inline }}</p>")
    problem = _only(theme, Rule.PARTS_DIFFER)
    assert (problem.line, problem.column) == (14, 10)
    assert "https://e.org/page" in problem.message


def test_a_template_that_leaves_out_a_heading(theme: Path) -> None:
    (theme / "section.html.j2").write_text("<hr />")
    (theme / "contents.html.j2").write_text("<p>x</p>")
    problem = _only(theme, Rule.PARTS_DIFFER)
    assert problem.line == 9
    assert "'One'" in problem.message


def test_no_postal_address(theme: Path) -> None:
    (problem,) = _problems(theme, replace(SAMPLE_LOOK, postal_address=""))
    assert problem.rule is Rule.MISSING_POSTAL_ADDRESS
    _change(theme, "foot.mjml.j2", "newsletter.postal_address.splitlines()", "[]")
    assert "HTML" in _only(theme, Rule.MISSING_POSTAL_ADDRESS).message


def test_no_unsubscribe_link(theme: Path) -> None:
    _change(theme, "foot.mjml.j2", "{{ system('unsubscribe_url') }}", "https://e.org/")
    assert "unsubscribe" in _only(theme, Rule.MISSING_UNSUBSCRIBE).message


def test_an_image_without_alt(theme: Path) -> None:
    _add(theme, "name.html.j2", '<img src="https://e.org/logo.png" width="10" />')
    assert "name.html.j2:" in _only(theme, Rule.MISSING_ALT).remedy


def test_a_theme_that_is_wrong(theme: Path) -> None:
    _change(theme, "layout.mjml.j2", "<mj-wrapper", "<mj-wraper")
    assert {each.rule for each in _problems(theme)} == {Rule.RENDERING_FAILS}


def test_a_theme_that_is_not_there() -> None:
    (problem,) = lint("x.md", ISSUE, theme="nowhere").problems
    assert problem.rule is Rule.RENDERING_FAILS


@pytest.mark.parametrize("theme_", THEMES)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_marks_of_lines_change_nothing_else(path: Path, theme_: str) -> None:
    page = _page(path, theme_)
    plain = render(page.issue, SAMPLE_LOOK, theme=theme_, gallery=_gallery(path))
    assert page.html == plain.html
    assert page.rendering.text == plain.text
    assert len(page.rendering.html) > len(plain.html)


def _gallery(path: Path) -> Gallery:
    issue, _ = examine(str(path), read(path))
    assert issue is not None
    return Gallery(images=gather(issue), base="https://i.example/")


def _page(path: Path, theme: str) -> Page:
    issue, _ = examine(str(path), read(path))
    assert issue is not None
    made = render(issue, SAMPLE_LOOK, theme=theme, gallery=_gallery(path), traced=True)
    return Page(issue=issue, rendering=made, look=SAMPLE_LOOK, theme=load(theme), readers=Readers())


def test_every_word_of_the_sample_knows_its_line() -> None:
    path = templates() / "sample" / "issue.md"
    page = _page(path, "digest")
    lines = read(path).split("\n")
    titles = page.root.xpath("//h3[@class='item-title']")
    assert len(titles) > 5
    for title in titles:
        assert title.text_content() in lines[page.lines[title] - 1]


def test_the_baseline_is_what_our_themes_and_mjml_use_and_no_more() -> None:
    pages = [_page(path, theme).root for path in SAMPLES for theme in THEMES]
    pages += [_component(name) for name in SOURCES if name not in INTERACTIVE]
    used = {token for page in pages for token, _ in support.used(page)}
    known = {support.features()[token].slug for token in used if token in support.features()}
    assert sorted(known) == sorted(support.baseline())


#: They fold and unfold where a program can; where it can't, a reader shall know.
INTERACTIVE = ("mj-navbar", "mj-accordion")


def _component(name: str) -> HtmlElement:
    return document_fromstring(child.transform(SOURCES[name], "", ""))


@pytest.mark.parametrize("name", INTERACTIVE)
def test_components_that_fold_are_told(name: str) -> None:
    tokens = {token for token, _ in support.used(_component(name))}
    assert "css-pseudo-class-checked" in {
        support.features()[token].slug for token in tokens if token in support.features()
    }
