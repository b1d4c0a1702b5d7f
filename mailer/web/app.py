"""The web process as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from mailer.errors import WebhookRefused
from mailer.web import (
    archive,
    confirm,
    health,
    hooks,
    images,
    own_data,
    pages,
    preferences,
    subscribe,
    track,
    view,
)
from mailer.web.applier import Applier
from mailer.web.guard import Guard
from mailer.web.keeper import Keeper
from mailer.web.look import page
from mailer.web.looks import LinkCache, LookKeeper
from mailer.web.metrics import Metrics
from mailer.web.metrics import router as figures
from mailer.web.request_id import RequestIds
from mailer.web.services import WebServices
from mailer.web.speech import Speech, speech, tongues_of
from mailer.webhooks import providers
from mailer.webhooks.certificates import Certificates
from mailer.webhooks.verify import verifier_of
from subscribers.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnavailable,
    NewsletterUnknown,
    PressrunError,
    TokenInvalid,
)

log = logging.getLogger(__name__)

#: Threads that work on the database; its pool has a few connections more.
_THREADS = 8
_RETRY_SECONDS = "30"
_ENGLISH = Speech(lang="en")


def create_app(services: WebServices) -> FastAPI:
    """Make the application; raises SettingsInvalid where a webhook's secret is none."""
    if services.settings.web.generic_secret:
        verifier_of(services.settings.web.generic_secret.get_secret_value())
    providers.check(services.settings)
    app = FastAPI(
        title="Pressrun", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan
    )
    app.state.services = services
    app.state.applier = Applier(services)
    app.state.keeper = Keeper(services)
    app.state.links = LinkCache(services)
    app.state.looks = LookKeeper(services, app.state.links)
    app.state.certificates = Certificates(services.fetch)
    app.state.metrics = Metrics(services)
    app.add_middleware(Guard, max_body=services.settings.web.max_body)
    app.add_middleware(RequestIds)
    app.router.routes.extend(hooks.ROUTES)
    reading = (view, archive, images, track)
    for module in (pages, preferences, subscribe, confirm, own_data, *reading):
        app.include_router(module.router)
    app.include_router(health.router)
    app.include_router(figures)
    _explain_errors(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    applier: Applier = app.state.applier
    looks: LookKeeper = app.state.looks
    applying = asyncio.create_task(applier.run(), name="applier")
    recording = asyncio.create_task(looks.run(), name="looks")
    yield
    applying.cancel()
    with suppress(asyncio.CancelledError):
        await applying
    looks.stop()
    await recording


# --- errors in plain words ----------------------------------------------------------------------


def _explain_errors(app: FastAPI) -> None:
    app.add_exception_handler(TokenInvalid, _unknown_link)
    app.add_exception_handler(NewsletterUnknown, _nothing_here)
    app.add_exception_handler(WebhookRefused, _not_genuine)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _as_http)
    for kind in (DatabaseUnavailable, DatabaseFull, DatabaseBusy):
        app.add_exception_handler(kind, _try_again)
    app.add_exception_handler(PressrunError, _our_fault)
    app.add_exception_handler(Exception, _our_fault)


def _unknown_link(request: Request, _exc: Exception) -> Response:
    say = _say(request)
    return _explain(
        request, HTTPStatus.NOT_FOUND, say("error_link"), say("error_link_words"), say=say
    )


def _nothing_here(request: Request, _exc: Exception) -> Response:
    say = _say(request)
    return _explain(
        request, HTTPStatus.NOT_FOUND, say("error_none"), say("error_none_words"), say=say
    )


def _not_genuine(_request: Request, _exc: Exception) -> Response:
    # Not a word on what was wrong: that would help whoever tries.
    words = "This request does not prove who sent it, or is too old.\n"
    return PlainTextResponse(words, HTTPStatus.UNAUTHORIZED)


def _invalid(request: Request, _exc: Exception) -> Response:
    return _explain(
        request, HTTPStatus.BAD_REQUEST, "This can't be understood", "Something in it is invalid."
    )


def _as_http(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    status = HTTPStatus(exc.status_code)
    say = _say(request)
    title, words = {
        HTTPStatus.NOT_FOUND: (say("error_none"), say("error_none_words")),
        HTTPStatus.METHOD_NOT_ALLOWED: ("This can't be done here", "Go back and try another way."),
    }.get(status, (status.phrase, status.description or ""))
    response = _explain(request, status, title, words, say=say)
    response.headers.update(exc.headers or {})
    return response


def _try_again(request: Request, exc: Exception) -> Response:
    log.warning("%s %s: %s", request.method, _place(request), exc)
    say = _say(request)
    response = _explain(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        say("error_busy"),
        say("error_busy_words"),
        say=say,
    )
    response.headers["retry-after"] = _RETRY_SECONDS
    return response


def _our_fault(request: Request, exc: Exception) -> Response:
    log.error("%s %s failed", request.method, _place(request), exc_info=exc)
    return _explain(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong on our side",
        "It was written to the log. Try again in a minute.",
    )


def _place(request: Request) -> str:
    """The path without its token: tokens are secrets and stay out of logs."""
    route = request.scope.get("route")
    return str(getattr(route, "path", "an unknown path"))


def _say(request: Request) -> Speech:
    return speech(tongues_of(request))


def _explain(
    request: Request, status: HTTPStatus, title: str, words: str, *, say: Speech = _ENGLISH
) -> Response:
    path = request.url.path
    if path.startswith("/webhooks/"):
        return PlainTextResponse(f"{title}. {words}\n", status)
    if path.startswith("/api/"):
        told = {"status": "failed", "message": f"{title}. {words}"}
        return JSONResponse(told, status, headers=subscribe.ANY_SITE)
    return page("error", say=say, status=status, title=title, words=words)
