"""`mailer issue add` and `enrich`: what pages say of themselves, written into the draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.output import FAILED, MISTAKE, confirm, emit_json, fail, say, warn
from mailer.draft import look_up
from mailer.draft.enrich import Filling, Gap, filled, filling, gaps
from mailer.draft.facts import PageFacts
from mailer.draft.file import DraftFile
from mailer.draft.item import item_lines
from mailer.draft.next import latest
from mailer.draft.place import place_for, placed, same_link
from mailer.errors import FetchRefused, IssueInvalid
from mailer.issue.parse import examine
from mailer.issue.rules import Severity
from mailer.issue.urls import arxiv_id, judge_web

Json = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]


@dataclass(frozen=True, kw_only=True)
class Added:
    """What `add` did; `title` is empty where the page could not be asked."""

    file: str
    url: str
    line: int
    title: str
    trouble: str = ""


def add(
    url: Annotated[str, typer.Argument(help="The page or paper.", show_default=False)],
    section: Annotated[
        str | None, typer.Option(help="A part of the section's title, or its number.")
    ] = None,
    note: Annotated[str, typer.Option(help="What you say of it, in Markdown.")] = "",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The draft; else that of the highest number here."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody for the title.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also where it is there already.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add a link to the draft: its title, or the paper's, comes from the page.

    It goes to the end of the section named; else papers to that of the papers, all else to the last
    numbered one. Without network what is known is written; `mailer issue enrich` fills the rest.

    Examples: `mailer issue add https://arxiv.org/abs/1706.03762`,
    `mailer issue add https://example.com/page --section papers --note "Worth your time."`
    """
    if problem := judge_web(url):
        fail("; ".join(problem), code=MISTAKE)
    draft = _draft(to)
    _refuse_twice(draft, url, again=again)
    at = place_for(draft.source, section, paper=arxiv_id(url) is not None)
    facts, trouble = _facts(url, offline=offline)
    lines = placed(draft.lines, at, item_lines(url, facts, note), draft.line_end)
    content = draft.with_lines(lines)
    _refuse_broken(draft, content)
    if not dry_run:
        draft.save(content)
    done = Added(file=str(draft.path), url=url, line=at + 2, title=facts.title, trouble=trouble)
    if as_json:
        emit_json(done)
        return
    if dry_run:
        say(draft.diff(content))
    if trouble:
        warn(f"{trouble}; later: mailer issue enrich {draft.path}")
    say(f"{draft.path}:{done.line}: {facts.title or url}")


def _draft(to: Path | None) -> DraftFile:
    file = to or latest(Path())
    if file is None:
        fail("there is no draft here; begin one: mailer issue new", code=MISTAKE)
    return DraftFile.open(file)


def _refuse_twice(draft: DraftFile, url: str, *, again: bool) -> None:
    """Whether the link is in the draft already; in an earlier issue it is only told."""
    for file in sorted({draft.path, *draft.path.parent.glob("*.md")}):
        try:
            source = draft.source if file == draft.path else DraftFile.open(file).source
        except (IssueInvalid, OSError):
            continue
        issue, _ = examine(str(file), source)
        line = next(same_link(issue, url), None) if issue else None
        if line is None or again:
            continue
        if file == draft.path:
            fail(f"{file}:{line} has it already; --again adds it once more", code=MISTAKE)
        warn(f"{file}:{line} had it")


def _facts(url: str, *, offline: bool) -> tuple[PageFacts, str]:
    if offline:
        return PageFacts(), "the page was not asked for its title"
    try:
        facts = look_up.look_up(url, look_up.FETCHER)
    except FetchRefused as exc:
        return PageFacts(), f"the title is not known: {exc}"
    return facts, "" if facts.title else "the page says no title"


def _refuse_broken(draft: DraftFile, content: bytes) -> None:
    """Never write what the parser would refuse where it did not before."""
    fresh = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if _errors(fresh) > _errors(draft.source):
        fail(f"{draft.path}: this would not be a valid issue any more; nothing was written")


def _errors(source: str) -> int:
    _, problems = examine("", source)
    return sum(problem.severity is Severity.ERROR for problem in problems)


# --- enrich


@dataclass(frozen=True, kw_only=True)
class Told:
    """What became of one link; `line` counts from 1."""

    line: int
    url: str
    filled: tuple[str, ...]
    trouble: str = ""


def enrich(
    file: Annotated[Path, typer.Argument(help="The issue file.", show_default=False)],
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Give cards the image of their page.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Fill cards and items from what their pages say: title, description, image, the paper's title.

    Only gaps are filled: a card or heading that is just a URL, a card without words or image, a
    paper without its line. What would change is shown first; what you wrote stays, byte for byte.

    Examples: `mailer issue enrich issue.md`, `mailer issue enrich issue.md --dry-run`,
    `mailer issue enrich issue.md --yes --no-images`
    """
    draft = DraftFile.open(file)
    found = gaps(draft.source, images=images)
    answers = look_up.look_up_all((gap.url for gap in found), look_up.FETCHER)
    told = [_told(gap, answers[gap.url]) for gap in found]
    fillings = [_filling(gap, answers[gap.url]) for gap in found]
    lines = filled(draft.lines, {each.gap.line: each for each in fillings}, draft.line_end)
    content = draft.with_lines(lines)
    _refuse_broken(draft, content)
    if as_json and not dry_run and content != draft.content:
        confirm(f"Change {file}?", yes=yes)
    elif not as_json:
        _show(draft, content, told, yes=yes or dry_run)
    if content != draft.content and not dry_run:
        draft.save(content)
    if as_json:
        emit_json(told)
    if any(each.trouble for each in told):
        raise typer.Exit(FAILED)


def _filling(gap: Gap, answer: PageFacts | FetchRefused) -> Filling:
    return filling(gap, PageFacts() if isinstance(answer, FetchRefused) else answer)


def _told(gap: Gap, answer: PageFacts | FetchRefused) -> Told:
    if isinstance(answer, FetchRefused):
        return Told(line=gap.line + 1, url=gap.url, filled=(), trouble=str(answer))
    done = filling(gap, answer).done
    return Told(line=gap.line + 1, url=gap.url, filled=done)


def _show(draft: DraftFile, content: bytes, told: Sequence[Told], *, yes: bool) -> None:
    for each in told:
        if each.trouble:
            warn(f"{draft.path}:{each.line}: left open: {each.trouble}")
        elif not each.filled:
            warn(f"{draft.path}:{each.line}: left open: the page does not say more")
    if content == draft.content:
        say(f"{draft.path}: nothing {'was filled' if told else 'to fill'}")
        return
    say(draft.diff(content))
    confirm(f"Change {draft.path}?", yes=yes)
