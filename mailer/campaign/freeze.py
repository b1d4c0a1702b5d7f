"""From an issue file and a newsletter's row to the rendering that a campaign freezes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mailer.issue.model import ParsedIssue
from mailer.issue.parse import parse, read
from mailer.render.images import EMBED, Gallery, LocalImage, gather
from mailer.render.model import NewsletterLook, Rendering
from mailer.render.render import render
from subscribers.model import Newsletter


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """An issue and what it was rendered to."""

    issue: ParsedIssue
    rendering: Rendering
    images: tuple[LocalImage, ...] = ()


def look_of(newsletter: Newsletter) -> NewsletterLook:
    """What a rendering needs to know of a newsletter."""
    return NewsletterLook(
        name=newsletter.name,
        from_name=newsletter.from_name,
        from_address=newsletter.from_address,
        postal_address=newsletter.postal_address,
        url=newsletter.url,
        language=newsletter.language,
    )


def freeze(path: Path, newsletter: Newsletter, *, public_url: str = "") -> Frozen:
    """Read, check and render an issue file, with the images beside it.

    `public_url` is where the web process is reached: images are linked to there.

    Raises IssueInvalid with every problem's line, or RenderingFailed.
    """
    issue = parse(str(path), read(path))
    images = gather(issue)
    base = EMBED if issue.front.embed_images else f"{public_url}/i/"
    gallery = Gallery(images=images, base=base)
    rendering = render(issue, look_of(newsletter), theme=newsletter.theme, gallery=gallery)
    return Frozen(issue=issue, rendering=rendering, images=tuple(images.values()))
