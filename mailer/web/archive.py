"""The archive: every issue that went out to all has an address that stays."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mailer.campaign import queries as campaign_queries
from mailer.web import site
from mailer.web.look import as_html
from mailer.web.pages import READ
from mailer.web.services import Services, WebServices
from mailer.web.site import Shelf
from mailer.web.speech import Tongues, speech
from subscribers import queries as people
from subscribers.errors import NewsletterUnknown

router = APIRouter()

Slug = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]
Name = Annotated[str, Path(pattern=r"^c?[0-9]{1,19}$")]

#: As a copy in the browser, but that its form may be posted here.
_POLICY = (
    "default-src 'none'; img-src https: http: data:; font-src https:;"
    " style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: These pages are for caches and search engines too, as no others are.
_FRESH = {"cache-control": "public, max-age=300", "x-robots-tag": "all"}
_ATOM = "application/atom+xml"


@router.api_route("/archive", methods=READ)
def all_issues(services: Services, tongues: Tongues) -> HTMLResponse:
    """List the issues of every newsletter whose archive is open."""
    with services.database.read() as session:
        found = site.shelves(session, **_places(services))
    say = speech(tongues, found[0].newsletter.language if found else None)
    return as_html(site.index(found, say), headers=_FRESH)


@router.api_route("/sitemap.xml", methods=READ)
def site_map(services: Services) -> Response:
    """Every page of the archive, for search engines."""
    with services.database.read() as session:
        found = site.shelves(session, **_places(services))
    return Response(site.sitemap(found), media_type="application/xml", headers=_FRESH)


@router.api_route("/archive/{slug}", methods=READ)
def issues_of(slug: Slug, services: Services, tongues: Tongues) -> Response:
    """List a newsletter's issues; a bare number is an issue of the first newsletter."""
    try:
        shelf = _shelf(services, slug)
    except NewsletterUnknown:
        return RedirectResponse(_of_the_first(services, slug), 307)
    say = speech(tongues, shelf.newsletter.language)
    return as_html(site.index([shelf], say), headers=_FRESH)


@router.api_route("/archive/{slug}/feed.xml", methods=READ)
def atom(slug: Slug, services: Services) -> Response:
    """The newest issues as Atom (RFC 4287)."""
    shelf = _shelf(services, slug)
    with services.database.read() as session:
        text = site.feed(session, shelf)
    return Response(text, media_type=_ATOM, headers=_FRESH)


@router.api_route("/archive/{slug}/{name}", methods=READ)
def issue(slug: Slug, name: Name, services: Services) -> HTMLResponse:
    """One issue, cleared of what is personal."""
    shelf = _shelf(services, slug)
    found = shelf.find(name)
    if found is None:
        raise HTTPException(404)
    with services.database.read() as session:
        rendering = campaign_queries.rendering_of(session, found.campaign_id)
    images = f"{services.settings.public_url}/i/"
    text = site.issue_page(shelf, found, rendering, images=images)
    headers = {
        **_FRESH,
        "etag": f'"{rendering.checksum[:32]}"',
        "content-security-policy": _POLICY,
    }
    return HTMLResponse(text, headers=headers)


def _shelf(services: WebServices, slug: str) -> Shelf:
    with services.database.read() as session:
        newsletter = people.newsletter_by_slug(session, slug)
        if not newsletter.archive:
            raise NewsletterUnknown
        return site.shelf_of(session, newsletter, **_places(services))


def _of_the_first(services: WebServices, name: str) -> str:
    with services.database.read() as session:
        found = site.shelves(session, **_places(services))
    first = min(found, key=lambda shelf: shelf.newsletter.id, default=None)
    issue = first.find(name) if first else None
    if first is None or issue is None:
        raise NewsletterUnknown
    return first.url_of(issue)


def _places(services: WebServices) -> dict[str, str]:
    url = services.settings.public_url
    return {"base": f"{url}/archive", "public_url": url}
