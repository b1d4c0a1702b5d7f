"""Issues with one mistake each: the linter names the rule and the place, and nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mailer.issue.parse import read
from mailer.issue.rules import Rule, Severity
from mailer.lint.lint import lint
from mailer.resources import templates

MISTAKES = Path(__file__).parents[2] / "data" / "mistakes"
PLACES = tomllib.loads((MISTAKES / "places.toml").read_text(encoding="utf-8"))
SAMPLES = sorted((templates() / "sample").rglob("*.md"))
THEMES = ("letter", "digest", "magazine")


def test_there_are_forty_mistakes_and_more() -> None:
    names = sorted(path.stem for path in MISTAKES.glob("*.md"))
    assert names == sorted(PLACES)
    assert len(names) >= 40


@pytest.mark.parametrize("name", sorted(PLACES))
def test_mistake_is_named_with_its_rule_and_place(name: str) -> None:
    path = MISTAKES / f"{name}.md"
    problems = lint(str(path), read(path)).problems
    found = [(problem.rule.value, problem.line, problem.column) for problem in problems]
    assert found == [(name.partition("-")[2], *PLACES[name])], "\n".join(map(str, problems))
    assert problems[0].remedy


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_samples_have_no_problem(path: Path, theme: str) -> None:
    assert lint(str(path), read(path), theme=theme).problems == ()


def test_what_is_off_is_hidden_and_counted() -> None:
    source = read(MISTAKES / f"{next(name for name in PLACES if 'http-link' in name)}.md")
    off = source.replace("lang: en\n", "lang: en\nlint: {off: {http-link: an old archive}}\n", 1)
    found = lint("x.md", off)
    assert found.problems == ()
    (hidden,) = found.hidden
    assert (hidden.off.rule, hidden.off.reason) == (Rule.HTTP_LINK, "an old archive")
    assert hidden.problems == 1
    assert hidden.off.place.line == 7


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("{off: [merge-field]}", "can't be switched off", id="an error"),
        pytest.param("{off: [htp-link]}", "did you mean http-link?", id="no rule"),
        pytest.param("{off: http-link}", "no list of rules", id="no list"),
        pytest.param("{on: [http-link]}", "lint holds only off", id="no off"),
        pytest.param("[http-link]", "lint holds only off", id="a list"),
    ],
)
def test_what_can_not_be_switched_off_is_told(value: str, words: str) -> None:
    found = lint("x.md", f"---\nsubject: a\nnumber: 1\npreheader: b\nlint: {value}\n---\ntext\n")
    (problem,) = found.problems
    assert problem.rule is Rule.FRONT_MATTER
    assert problem.line == 5
    assert words in f"{problem.message}; {problem.remedy}"


def test_every_warning_can_be_switched_off() -> None:
    warnings = [rule.value for rule in Rule if rule.severity is Severity.WARNING]
    found = lint("x.md", f"---\nsubject: a\nlint: {{off: [{', '.join(warnings)}]}}\n---\ntext\n")
    assert found.problems == ()
    assert len(found.hidden) == len(warnings)
