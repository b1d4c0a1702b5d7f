"""For which newsletter, and in which theme, an issue is looked at."""

from __future__ import annotations

from pathlib import Path

from mailer.campaign.freeze import look_of
from mailer.cli.runtime import runtime
from mailer.lint.lint import SAMPLE_LOOK
from mailer.render.model import NewsletterLook
from subscribers.model import Newsletter


def newsletter_for(slug: str | None) -> Newsletter | None:
    """The newsletter of this name or the only one; None where there is no database."""
    current = runtime()
    url = current.settings.database_url
    absent = url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()
    return None if slug is None and absent else current.newsletter(slug)


def look_for(slug: str | None) -> tuple[NewsletterLook, str]:
    """The look and theme of that newsletter; a sample's where there is no database."""
    newsletter = newsletter_for(slug)
    if newsletter is None:
        return SAMPLE_LOOK, "digest"
    return look_of(newsletter), newsletter.theme
