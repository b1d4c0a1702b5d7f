"""The form to subscribe: as a page, in a frame, copied into other sites, and as JSON.

Any site may post here: that is what a form is for, and the answer gives nothing away. It is the
same, after the same work, whatever the address: who is known is looked up later, by the applier.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, Response

from mailer.web.look import page
from mailer.web.pages import READ
from mailer.web.services import Services, WebServices, insist
from mailer.web.speech import Speech, Tongues, speech
from subscribers import address
from subscribers import queries as people
from subscribers.errors import AddressInvalid
from subscribers.model import Newsletter
from subscribers.signup import queries as signups
from subscribers.signup.model import Asked, Signup, network_of
from subscribers.token import Keyring

router = APIRouter()

#: Scripts of any site may read the answer: there is nothing of the visitor's in it.
ANY_SITE = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}
_PREFLIGHT = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type, accept-language",
    "access-control-max-age": "86400",
}
_STATUS = {Asked.KEPT: HTTPStatus.ACCEPTED, Asked.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS}
#: A newsletter's short name as it stands in a path.
Slug = Annotated[str, Path(max_length=64)]
Typed = Annotated[str, Form(max_length=1000)]


class AskedFor(BaseModel):
    """The JSON that `POST /api/subscribe` takes; `website` is the trap, to be left out."""

    newsletter: str = Field(max_length=64)
    address: str = Field(max_length=1000)
    website: str = Field(default="", max_length=1000)


@router.api_route("/s/{slug}", methods=READ)
def show_form(slug: Slug, services: Services, tongues: Tongues) -> HTMLResponse:
    """The form as a page."""
    return _form(services, _newsletter(services, slug), tongues, framed=False)


@router.post("/s/{slug}")
def take_form(
    slug: Slug,
    request: Request,
    services: Services,
    tongues: Tongues,
    address: Typed = "",
    website: Typed = "",
) -> HTMLResponse:
    """Take the form."""
    return _take(services, slug, request, tongues, address, website, framed=False)


@router.api_route("/s/{slug}/embed", methods=READ)
def show_framed(slug: Slug, services: Services, tongues: Tongues) -> HTMLResponse:
    """The form alone, for a frame in another site."""
    return _form(services, _newsletter(services, slug), tongues, framed=True)


@router.post("/s/{slug}/embed")
def take_framed(
    slug: Slug,
    request: Request,
    services: Services,
    tongues: Tongues,
    address: Typed = "",
    website: Typed = "",
) -> HTMLResponse:
    """Take the form in a frame."""
    return _take(services, slug, request, tongues, address, website, framed=True)


@router.api_route("/s/{slug}/form", methods=READ)
def show_html(slug: Slug, services: Services, tongues: Tongues) -> HTMLResponse:
    """The form as HTML to copy into another site."""
    newsletter = _newsletter(services, slug)
    say = speech(tongues, newsletter.language)
    url = f"{services.settings.public_url}/s/{newsletter.slug}"
    return page("form", say=say, newsletter=newsletter, url=url)


@router.options("/api/subscribe")
def preflight() -> Response:
    """Let scripts of any site post."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={**ANY_SITE, **_PREFLIGHT})


@router.post("/api/subscribe")
def take_json(
    asked: AskedFor, request: Request, services: Services, tongues: Tongues
) -> JSONResponse:
    """Take the form as JSON."""
    newsletter = _newsletter(services, asked.newsletter)
    say = speech(tongues, newsletter.language)
    try:
        answer = _ask(services, newsletter, request, say, asked.address, asked.website)
    except AddressInvalid:
        words, status = say("no_address"), HTTPStatus.BAD_REQUEST
        return JSONResponse({"status": "invalid", "message": words}, status, headers=ANY_SITE)
    words = say("asked_words" if answer is Asked.KEPT else "too_many")
    told = {"status": answer.value, "message": words}
    return JSONResponse(told, _STATUS[answer], headers=ANY_SITE)


def _newsletter(services: WebServices, slug: str) -> Newsletter:
    with services.database.read() as session:
        return people.newsletter_by_slug(session, slug)


def _form(
    services: WebServices,
    newsletter: Newsletter,
    tongues: list[str],
    *,
    framed: bool,
    typed: str = "",
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    say = speech(tongues, newsletter.language)
    return page(
        "subscribe",
        say=say,
        status=status,
        framed=framed,
        newsletter=newsletter,
        action=_path(newsletter, framed=framed),
        typed=typed,
        problem=say(problem) if problem else "",
        asked=False,
    )


def _take(
    services: WebServices,
    slug: str,
    request: Request,
    tongues: list[str],
    typed: str,
    trap: str,
    *,
    framed: bool,
) -> HTMLResponse:
    newsletter = _newsletter(services, slug)
    say = speech(tongues, newsletter.language)
    try:
        answer = _ask(services, newsletter, request, say, typed, trap)
    except AddressInvalid:
        problem, status = "no_address", HTTPStatus.BAD_REQUEST
    else:
        if answer is Asked.KEPT:
            return page("subscribe", say=say, framed=framed, newsletter=newsletter, asked=True)
        problem, status = "too_many", HTTPStatus.TOO_MANY_REQUESTS
    return _form(
        services,
        newsletter,
        tongues,
        framed=framed,
        typed=typed,
        problem=problem,
        status=status,
    )


def _ask(
    services: WebServices,
    newsletter: Newsletter,
    request: Request,
    say: Speech,
    typed: str,
    trap: str,
) -> Asked:
    """Keep what was asked for: one question and one row, for everybody."""
    signup = Signup(
        newsletter_id=newsletter.id,
        address=address.parse(typed.strip()),
        form=request.url.path,
        words=say("agree", name=newsletter.name),
        network=network_of(request.client.host if request.client else None),
        language=say.lang,
        is_machine=bool(trap),
    )
    return insist(lambda: _keep(services, signup, services.keyring))


def _keep(services: WebServices, signup: Signup, keyring: Keyring) -> Asked:
    with services.database.write() as session:
        return signups.ask(
            session,
            signup,
            keyring=keyring,
            limits=services.signup_limits,
            now=services.clock(),
        )


def _path(newsletter: Newsletter, *, framed: bool) -> str:
    return f"/s/{newsletter.slug}/embed" if framed else f"/s/{newsletter.slug}"
