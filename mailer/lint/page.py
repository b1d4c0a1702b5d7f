"""A rendered issue as the rules look at it."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.issue.model import ParsedIssue
from mailer.issue.readers import Readers
from mailer.render.model import NewsletterLook, Rendering


@dataclass(frozen=True, kw_only=True)
class Page:
    """An issue, what became of it, and for whom."""

    issue: ParsedIssue
    rendering: Rendering
    look: NewsletterLook
    theme: str
    readers: Readers
