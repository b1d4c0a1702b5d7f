"""`mailer issue check`: what is doubtful about an issue, before anybody gets it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.issue_look import look_for
from mailer.cli.output import MISTAKE, emit_json, fail, say, show_table, warn
from mailer.errors import IssueInvalid
from mailer.issue.model import Problem
from mailer.issue.parse import read
from mailer.issue.rules import Rule
from mailer.lint.lint import SAMPLE_LOOK, Findings, lint
from mailer.lint.sarif import sarif
from mailer.render.model import NewsletterLook
from subscribers.errors import PressrunError


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Issue files.", show_default=False)
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="The newsletter it is for: look, theme, readers.")
    ] = None,
    theme: Annotated[str | None, typer.Option(help="Another theme.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 2 on warnings, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
    as_sarif: Annotated[
        bool, typer.Option("--sarif", help="Print SARIF 2.1.0, for editors and CI.")
    ] = False,
    rules: Annotated[
        bool, typer.Option("--rules", help="List the rules; nothing is checked.")
    ] = False,
) -> None:
    """Find mistakes: each with file:line:column, rule, and how to mend it.

    The issue is rendered as its readers get it. Ends with 2 on errors. A warning's rule is
    switched off by the issue itself: `lint: {off: {missing-number: a special edition}}`.

    Examples: `mailer issue check issue.md`, `mailer issue check --strict --to weekly issue.md`,
    `mailer issue check --sarif issue.md`, `mailer issue check --rules`
    """
    if rules:
        _list_rules(as_json=as_json)
        return
    if not files:
        fail("name an issue file: mailer issue check issue.md", code=MISTAKE)
    look, own_theme = _look(to)
    found = [_findings(file, look, theme or own_theme) for file in files]
    problems = [problem for each in found for problem in each.problems]
    if as_sarif:
        sys.stdout.write(sarif(problems))
    elif as_json:
        emit_json([_plain(problem) for problem in problems])
    else:
        _tell(files, found)
    if any(each.fatal for each in found) or (strict and problems):
        raise typer.Exit(MISTAKE)


def _list_rules(*, as_json: bool) -> None:
    if as_json:
        rows = [{"rule": r, "severity": r.severity, "summary": r.summary} for r in Rule]
        emit_json(rows)
    else:
        show_table(
            ("rule", "severity", "what is found"), [(r, r.severity, r.summary) for r in Rule]
        )


def _look(to: str | None) -> tuple[NewsletterLook, str]:
    try:
        return look_for(to)
    except PressrunError as exc:
        if to is not None:
            raise
        # Somebody who writes on a train still wants to know of a missing bracket.
        warn(f"checked without the database: {exc}")
        return SAMPLE_LOOK, "digest"


def _findings(file: Path, look: NewsletterLook, theme: str) -> Findings:
    try:
        source = read(file)
    except IssueInvalid as exc:
        message, _, remedy = str(exc).removeprefix(f"{file}: ").partition("; ")
        problem = Problem(
            path=str(file), line=1, column=1, rule=Rule.UNREADABLE, message=message, remedy=remedy
        )
        return Findings(problems=(problem,))
    return lint(str(file), source, look=look, theme=theme)


def _plain(problem: Problem) -> dict[str, object]:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "rule": problem.rule.value,
        "severity": problem.severity.value,
        "message": problem.message,
        "remedy": problem.remedy,
    }


def _tell(files: Iterable[Path], found: list[Findings]) -> None:
    for file, each in zip(files, found, strict=True):
        for problem in each.problems:
            say(str(problem))
        for hidden in each.hidden:
            off = hidden.off
            why = f": {off.reason}" if off.reason else ""
            say(
                f"{file}:{off.place.line}:{off.place.column}: off: {off.rule}{why}"
                f" ({hidden.problems} hidden)"
            )
    if not any(each.problems for each in found):
        say("no problems found")
