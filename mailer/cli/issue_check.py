"""`mailer issue check`: what is doubtful about an issue, before anybody gets it."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.campaign.freeze import freeze, look_of
from mailer.campaign.model import CampaignKind
from mailer.cli import completion
from mailer.cli.issue_look import newsletter_for
from mailer.cli.output import MISTAKE, emit_json, fail, progress, say, show_table, warn
from mailer.cli.runtime import runtime
from mailer.delivery.compose import CampaignIdentity, compile_campaign
from mailer.delivery.rehearse import Rehearsal
from mailer.errors import IssueInvalid
from mailer.issue.model import ParsedIssue, Problem
from mailer.issue.parse import read
from mailer.issue.readers import ASSUMED_ATTRIBUTE, Readers
from mailer.issue.rules import Rule
from mailer.lint import reach
from mailer.lint.lint import SAMPLE_LOOK, Findings, lint
from mailer.lint.sarif import sarif
from mailer.render.render import constants
from subscribers import audience as audiences
from subscribers.attribute import queries as attributes
from subscribers.errors import PressrunError
from subscribers.model import Newsletter
from subscribers.readers import queries as people

_ATTRIBUTE = re.compile(r"attributes(?:\.|\[['\"])(\w+)")


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Issue files.", show_default=False)
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--newsletter",
            "--to",
            autocompletion=completion.newsletters,
            help="The newsletter it is for: look, theme, readers.",
        ),
    ] = None,
    theme: Annotated[
        str | None, typer.Option(help="Another theme.", autocompletion=completion.themes)
    ] = None,
    links: Annotated[
        bool, typer.Option("--links", help="Ask over the network where the links lead.")
    ] = False,
    audience: Annotated[
        str | None,
        typer.Option(
            help="Make every recipient's copy of this newsletter, send none, and say what breaks.",
            metavar="NEWSLETTER",
        ),
    ] = None,
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

    Examples: `mailer issue check issue.md`,
    `mailer issue check --strict --newsletter weekly issue.md`,
    `mailer issue check --links --audience weekly issue.md`, `mailer issue check --sarif issue.md`,
    `mailer issue check --rules`
    """
    if rules:
        _list_rules(as_json=as_json)
        return
    if not files:
        fail("name an issue file: mailer issue check issue.md", code=MISTAKE)
    newsletter = _newsletter(audience or to)
    if newsletter is not None and theme is not None:
        newsletter = replace(newsletter, theme=theme)
    found = []
    for file in files:
        findings = _findings(file, newsletter, theme)
        if links and findings.issue is not None:
            findings = findings.joined(_ask(findings.issue))
        if audience is not None and newsletter is not None and not findings.fatal:
            findings = findings.joined(_rehearse(file, newsletter))
        found.append(findings)
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
        rows_ = [(r, r.severity, r.summary) for r in Rule]
        show_table(("rule", "severity", "what is found"), rows_)


def _newsletter(slug: str | None) -> Newsletter | None:
    try:
        return newsletter_for(slug)
    except PressrunError as exc:
        if slug is not None:
            raise
        # Somebody who writes on a train still wants to know of a missing bracket.
        warn(f"checked without the database: {exc}")
        return None


def _findings(file: Path, newsletter: Newsletter | None, theme: str | None) -> Findings:
    try:
        source = read(file)
    except IssueInvalid as exc:
        message, _, remedy = str(exc).removeprefix(f"{file}: ").partition("; ")
        problem = Problem(
            path=str(file), line=1, column=1, rule=Rule.UNREADABLE, message=message, remedy=remedy
        )
        return Findings(problems=(problem,))
    if newsletter is None:
        return lint(str(file), source, look=SAMPLE_LOOK, theme=theme or "digest")
    return lint(
        str(file),
        source,
        look=look_of(newsletter),
        theme=newsletter.theme,
        readers=_readers(newsletter, source),
    )


def _readers(newsletter: Newsletter, source: str) -> Readers:
    """The longest values that real readers have; those assumed where there are none yet."""
    with runtime().database.read() as session:
        known = attributes.definitions(session)
        used = known.keys() & set(_ATTRIBUTE.findall(source))
        longest = people.longest(session, newsletter.id, sorted(used))
    if not longest.email:
        return Readers(attributes=dict.fromkeys(known, "M" * ASSUMED_ATTRIBUTE))
    values = dict.fromkeys(known, "") | dict(longest.attributes)
    return Readers(
        name=longest.name, email=longest.email, language=longest.language, attributes=values
    )


def _ask(issue: ParsedIssue) -> tuple[Problem, ...]:
    """Where the links lead; the count goes to standard error."""
    wanted = reach.targets(issue)
    became: Counter[str] = Counter()
    with progress("links", total=len(wanted)) as bar:

        def tell(reached: reach.Reached) -> None:
            became[reached.reach] += 1
            bar.advance(bar.task_ids[0])

        problems = reach.check(issue, ask=reach.fetcher(), tell=tell)
    told = ", ".join(f"{became[each]} {each}" for each in reach.Reach if became[each])
    warn(f"{len(wanted)} links: {told}" if wanted else "there is no link to ask for")
    return problems


def _rehearse(file: Path, newsletter: Newsletter) -> tuple[Problem, ...]:
    """What breaks for whom; the count goes to standard error."""
    here = runtime()
    public_url = here.settings.public_url
    frozen = freeze(file, newsletter, public_url=public_url)
    number = frozen.issue.front.number
    composer = compile_campaign(
        frozen.rendering,
        newsletter,
        campaign=CampaignIdentity(id=0, kind=CampaignKind.ISSUE, issue_number=number),
        keyring=here.keyring,
        public_url=public_url,
        images={image.name: image.content for image in frozen.images},
    )
    rehearsal = Rehearsal(
        frozen.issue,
        frozen.rendering,
        composer,
        constants(frozen.issue, look_of(newsletter)),
        date=datetime.now(UTC),
    )
    with here.database.read() as session:
        size = audiences.count(session, newsletter.id).size
        with progress("people", total=size) as bar:
            for person in people.recipients(session, newsletter.id):
                rehearsal.take(person)
                bar.advance(bar.task_ids[0])
    warn(f"made the copies of {rehearsal.people:,} people of {newsletter.slug}; sent none")
    return rehearsal.problems


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
            where = f"{file}:{off.place.line}:{off.place.column}"
            say(f"{where}: off: {off.rule}{why} ({hidden.problems} hidden)")
    if not any(each.problems for each in found):
        say("no problems found")
