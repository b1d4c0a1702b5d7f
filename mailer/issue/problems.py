"""The list that problems are noted in while an issue is read."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailer.errors import IssueInvalid
from mailer.issue.model import Place, Problem
from mailer.issue.rules import Rule, Severity

#: Nobody mends more at once, and a hostile file must not fill the memory.
MAX_PROBLEMS = 200


class IssueHasProblems(IssueInvalid):
    """The issue has mistakes; `problems` holds them all, in the order of their lines."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(kw_only=True)
class Notes:
    """Problems of one file, as they are found."""

    path: str
    found: list[Problem] = field(default_factory=list)
    _seen: set[Problem] = field(default_factory=set)

    def add(self, rule: Rule, place: Place, message: str, remedy: str) -> None:
        """Note a problem, once."""
        problem = Problem(
            path=self.path,
            line=place.line,
            column=place.column,
            rule=rule,
            message=message,
            remedy=remedy,
        )
        if problem not in self._seen and len(self.found) < MAX_PROBLEMS:
            self._seen.add(problem)
            self.found.append(problem)

    @property
    def in_order(self) -> tuple[Problem, ...]:
        """All problems, from the top of the file to its end."""
        return tuple(sorted(self.found, key=lambda p: (p.line, p.column)))

    @property
    def fatal(self) -> bool:
        """Whether one of them stops the issue."""
        return any(problem.severity is Severity.ERROR for problem in self.found)
