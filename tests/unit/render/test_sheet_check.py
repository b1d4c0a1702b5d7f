"""Each mistake in a theme's style sheets is named with its line and column."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailer.errors import ThemeInvalid
from mailer.render.sheet_check import check
from mailer.render.theme import load
from mailer.resources import templates


@pytest.mark.parametrize(
    ("sheet", "line", "column", "words"),
    [
        pytest.param(".a {\n  color red;\n}", 2, 3, "no declaration", id="no colon"),
        pytest.param(".a { margin: 0;\n  color red }", 2, 3, "no declaration", id="last"),
        pytest.param(".a { color: red; } }\n.b { margin: 0 }", 1, 20, "closes nothing", id="}}"),
        pytest.param(".a { color: red; };\n.b { margin: 0 }", 1, 19, "between rules", id="};"),
        pytest.param(".a { colr: red }", 1, 6, "did you mean color?", id="property"),
        pytest.param(".a { color: }", 1, 6, "color has no value", id="no value"),
        pytest.param(".a { color: red\nmargin: 0 }", 1, 6, "; is missing", id="no semicolon"),
        pytest.param(".a { color: red;\n.b { margin: 0 }", 1, 1, "not closed", id="no brace"),
        pytest.param(".a { color: red }\n.b", 2, 2, "no rule", id="no block"),
        pytest.param(".a { color: red !important }", 1, 6, "for dark", id="important"),
        pytest.param("\n@import url(x.css);", 2, 1, "not followed", id="import"),
        pytest.param("@media print { .a { color: red } }", 1, 1, "client.css.j2", id="media"),
        pytest.param("{% if a %}\n.a { colr: {{ b }} }{% endif %}", 2, 6, "color", id="in Jinja"),
    ],
)
def test_mistakes(sheet: str, line: int, column: int, words: str) -> None:
    (problem,) = check(sheet, inlined=True)
    assert (problem.line, problem.column) == (line, column)
    assert words in problem.message


@pytest.mark.parametrize(
    "sheet",
    [
        "",
        '{% include "blocks.css.j2" %}',
        ".a, .b > .c { color: {{ light.ink }}; -webkit-hyphens: auto; mso-line-height-rule: x }",
        ".a { background: url(https://e.example/a.png); {% if x %}margin: 0{% endif %} }",
        "/* { */ .a { font: 1px/2 {{ font.body }} } {# .b { #}",
        ".a { grid-row: 1; frobnicate: 1 }",
    ],
)
def test_what_is_right_passes(sheet: str) -> None:
    assert check(sheet, inlined=True) == ()


def test_what_stays_in_the_head_may_be_important_and_conditional() -> None:
    sheet = "@media (max-width: 9px) { .a { colr: red } .b { color: red !important } }"
    (problem,) = check(sheet, inlined=False)
    assert problem.column == 32


def test_a_theme_is_refused_with_file_and_line_as_soon_as_it_changes(tmp_path: Path) -> None:
    for each in (templates() / "issue" / "letter").iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    load(str(tmp_path))
    file = tmp_path / "client.css.j2"
    file.write_text(file.read_text() + "\n.a { colour: red }\n")
    os.utime(file, ns=(1, 1))
    line = file.read_text().count("\n")
    with pytest.raises(ThemeInvalid, match="did you mean color"):
        load(str(tmp_path))
    with pytest.raises(ThemeInvalid) as caught:
        load(str(tmp_path))
    assert str(caught.value).startswith(f"{file}:{line}:6: ")
