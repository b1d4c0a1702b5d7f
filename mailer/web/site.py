"""The archive as a site: pages, feeds and a map, for the web process and for files alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.published.model import Published
from mailer.campaign.published.queries import published
from mailer.render.model import Rendering
from mailer.render.public import Surroundings, publish
from mailer.resources import templates
from mailer.web.look import render
from mailer.web.speech import Speech, speech
from subscribers import queries as people
from subscribers.model import Newsletter

#: A feed tells of the newest; the index has them all.
FEED_LENGTH = 30


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A newsletter's issues, newest first; `base` is the archive's URL, `form` the sign-up's."""

    newsletter: Newsletter
    issues: Sequence[Published]
    base: str
    form: str

    @property
    def url(self) -> str:
        """Where all its issues are listed."""
        return f"{self.base}/{self.newsletter.slug}"

    @property
    def feed(self) -> str:
        """Its Atom feed (RFC 4287)."""
        return f"{self.url}/feed.xml"

    def url_of(self, issue: Published) -> str:
        """The stable address of one issue."""
        return f"{self.url}/{issue.name}"

    @property
    def changed_at(self) -> str:
        """When it changed last, as RFC 3339 has it; the epoch where nothing is out."""
        moments = [issue.changed_at.isoformat() for issue in self.issues]
        return max(moments, default="1970-01-01T00:00:00+00:00")

    def find(self, name: str) -> Published | None:
        """The issue of this name."""
        return next((issue for issue in self.issues if issue.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One issue as a feed tells of it."""

    issue: Published
    preheader: str


def shelf_of(session: Session, newsletter: Newsletter, *, base: str, public_url: str) -> Shelf:
    """A newsletter's shelf; empty where its archive is closed."""
    issues = published(session, newsletter.id) if newsletter.archive else []
    form = f"{public_url}/s/{newsletter.slug}"
    return Shelf(newsletter=newsletter, issues=issues, base=base, form=form)


def shelves(session: Session, *, base: str, public_url: str) -> list[Shelf]:
    """All newsletters whose archive is open."""
    return [
        shelf_of(session, newsletter, base=base, public_url=public_url)
        for newsletter in people.newsletters(session)
        if newsletter.archive
    ]


def index(found: Sequence[Shelf], say: Speech) -> str:
    """The list of all issues, as HTML."""
    return render("archive.html", say=say, framed=False, shelves=found)


def feed(session: Session, shelf: Shelf) -> str:
    """The newest issues as Atom."""
    entries = [
        Entry(
            issue=issue,
            preheader=campaign_queries.rendering_of(session, issue.campaign_id).preheader,
        )
        for issue in shelf.issues[:FEED_LENGTH]
    ]
    return render("feed.xml", shelf=shelf, entries=entries)


def sitemap(found: Iterable[Shelf]) -> str:
    """Every page of the archive, for search engines (sitemaps.org)."""
    return render("sitemap.xml", shelves=found)


def issue_page(shelf: Shelf, issue: Published, rendering: Rendering, *, images: str) -> str:
    """One issue as a page; `images` is the URL before an image's name."""
    place = shelf.issues.index(issue)
    newer = shelf.issues[place - 1] if place else None
    older = shelf.issues[place + 1] if place + 1 < len(shelf.issues) else None
    say = speech([rendering.lang.partition("-")[0]], shelf.newsletter.language)
    around = Surroundings(
        url=rendering.canonical_url or shelf.url_of(issue),
        feed=shelf.feed,
        images=images,
        site=shelf.newsletter.name,
        bar=render("archive_bar.html", say=say, shelf=shelf, newer=newer, older=older),
        form=render("archive_form.html", say=say, shelf=shelf),
        style=_style(),
    )
    return publish(rendering, around)


def files(
    session: Session, found: Sequence[Shelf], *, base: str, images: str
) -> Iterator[tuple[str, str]]:
    """Every page as (path below the archive's folder, content), one at a time."""
    yield "index.html", index(found, speech([], found[0].newsletter.language if found else None))
    yield "sitemap.xml", sitemap(found)
    for shelf in found:
        folder = shelf.newsletter.slug
        yield f"{folder}/index.html", index([shelf], speech([], shelf.newsletter.language))
        yield f"{folder}/feed.xml", feed(session, shelf)
        for issue in shelf.issues:
            rendering = campaign_queries.rendering_of(session, issue.campaign_id)
            page = issue_page(shelf, issue, rendering, images=images)
            yield f"{folder}/{issue.name}/index.html", page


def image_names(text: str, images: str) -> set[str]:
    """The images that a page shows from this place."""
    return set(re.findall(re.escape(images) + r"([0-9a-f]{32}\.(?:png|jpg|gif))", text))


@lru_cache(maxsize=1)
def _style() -> str:
    return (templates() / "pages" / "archive.css").read_text(encoding="utf-8")
