"""The verb of this package: an issue file to everything that is doubtful about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mailer.errors import RenderingFailed
from mailer.issue.check import check_parsed
from mailer.issue.model import START, Off, ParsedIssue, Problem
from mailer.issue.parse import examine
from mailer.issue.problems import IssueHasProblems, Notes
from mailer.issue.readers import Readers
from mailer.issue.rules import Rule, Severity
from mailer.lint import contrast, parts, size, support
from mailer.lint.page import Page
from mailer.render import images
from mailer.render.images import Gallery
from mailer.render.model import NewsletterLook
from mailer.render.render import UnsubscribeMissing, render
from mailer.render.theme import load

#: What a page is taken for where no newsletter is named.
SAMPLE_LOOK = NewsletterLook(
    name="Weekly Gradient",
    from_name="Weekly Gradient",
    from_address="editors@newsletter.example",
    postal_address="12 Example Street, 12345 Exampleton",
    url="https://newsletter.example/",
)


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """A rule that is switched off in an issue, and how many problems that hides."""

    off: Off
    problems: int = 0


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All problems of an issue, from its top to its end, and what its author switched off.

    A problem's `path` is the issue's, or that of the theme's file that is to be mended.
    """

    problems: tuple[Problem, ...]
    hidden: tuple[Hidden, ...] = ()
    issue: ParsedIssue | None = None

    @property
    def fatal(self) -> bool:
        """Whether one of them stops the issue."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def joined(self, more: Iterable[Problem]) -> Findings:
        """These and what was found elsewhere, less what is off."""
        problems = list(self.problems)
        counts = Counter({each.off.rule: each.problems for each in self.hidden})
        for problem in more:
            if problem.rule in counts:
                counts[problem.rule] += 1
            else:
                problems.append(problem)
        return replace(
            self,
            problems=tuple(sorted(problems, key=lambda each: (each.line, each.column))),
            hidden=tuple(replace(each, problems=counts[each.off.rule]) for each in self.hidden),
        )


def lint(
    path: str,
    source: str,
    *,
    look: NewsletterLook = SAMPLE_LOOK,
    theme: str = "digest",
    readers: Readers | None = None,
) -> Findings:
    """Check an issue; `path` names it in messages and says where its images lie.

    It is rendered in a theme, for a newsletter, once. Never raises for what stands in an issue:
    whatever is wrong, also with the theme, is one of the problems.
    """
    readers = readers or Readers()
    issue, found = examine(path, source)
    notes = Notes(path=path, found=list(found))
    if issue is None:
        return Findings(problems=notes.in_order)
    check_parsed(issue, notes, readers=readers)
    page = _page(issue, notes, look=look, theme=theme, readers=readers)
    if page is not None:
        for rule in PAGE_RULES:
            rule(page, notes)
    off = tuple(Hidden(off=each) for each in issue.front.off)
    return Findings(problems=(), hidden=off, issue=issue).joined(notes.in_order)


#: What looks at the finished page.
PAGE_RULES: tuple[Callable[[Page, Notes], None], ...] = (
    size.check,
    parts.check_foot,
    parts.check_alt,
    parts.check_twins,
    contrast.check,
    support.check,
    support.check_images,
)


def _page(
    issue: ParsedIssue, notes: Notes, *, look: NewsletterLook, theme: str, readers: Readers
) -> Page | None:
    """The issue rendered; None, and the reason noted, where it can't be."""
    notes.found.extend(images.problems(issue))
    try:
        gallery = Gallery(images=images.gather(issue), base="https://images.invalid/i/")
        rendering = render(issue, look, theme=theme, gallery=gallery, traced=True)
    except IssueHasProblems:
        return None
    except UnsubscribeMissing as exc:
        notes.add(Rule.MISSING_UNSUBSCRIBE, START, *_said(exc))
        return None
    except RenderingFailed as exc:
        for line in str(exc).split("\n"):
            notes.add(Rule.RENDERING_FAILS, START, *_said(line))
        return None
    return Page(issue=issue, rendering=rendering, look=look, theme=load(theme), readers=readers)


def _said(words: object) -> tuple[str, str]:
    message, _, remedy = str(words).partition("; ")
    return message, remedy or "mend the theme, or choose another"
