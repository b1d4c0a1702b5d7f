"""Where providers report what happened: verify, keep the raw request, answer; apply later."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from mailer.feedback.model import Arrived
from mailer.web.applier import Applier
from mailer.web.keeper import Keeper
from mailer.web.services import Services, WebServices
from mailer.webhooks.model import Incoming
from mailer.webhooks.providers import PROVIDERS, Provider
from mailer.webhooks.verify import standard_webhook

router = APIRouter()


@router.post("/webhooks/generic")
async def generic(request: Request, services: Services) -> PlainTextResponse:
    """Take a signed report, once; what is in it is read by the applier."""
    secret = services.settings.web.generic_secret
    if secret is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    body = await request.body()
    request_id = standard_webhook(secret.get_secret_value(), request.headers, body)
    if not await _keep_and_wake(request, services, "generic", request_id, body):
        return PlainTextResponse("This request is known; nothing more to do.\n")
    return PlainTextResponse("Kept; it is applied at once.\n", HTTPStatus.ACCEPTED)


@router.head("/webhooks/{provider}")
async def is_there(provider: str, services: Services) -> Response:
    """Say whether an endpoint is open, as Mandrill asks before it takes a URL."""
    _open(provider, services)
    return Response()


@router.post("/webhooks/{provider}")
async def take(provider: str, request: Request, services: Services) -> Response:
    """Take a genuine report, once. Several providers take nothing but 200 for a yes."""
    found = _open(provider, services)
    body = await request.body()
    incoming = Incoming(
        body=body,
        now=services.clock(),
        headers=dict(request.headers.items()),
        query=dict(request.query_params),
        url=services.settings.public_url + found.path,
        certificate=request.app.state.certificates,
    )
    # In a thread: it may have to wait for a certificate.
    request_id = await run_in_threadpool(found.verify, services.settings.webhooks, incoming)
    if answer := found.handshake(body):
        return JSONResponse(dict(answer))
    if not await _keep_and_wake(request, services, found.name, request_id, body):
        return PlainTextResponse("This request is known; nothing more to do.\n")
    return PlainTextResponse("Kept; it is applied at once.\n")


def _open(name: str, services: WebServices) -> Provider:
    provider = PROVIDERS.get(name)
    if provider is None or not provider.is_open(services.settings):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return provider


async def _keep_and_wake(
    request: Request, services: WebServices, provider: str, request_id: str, body: bytes
) -> bool:
    keeper: Keeper = request.app.state.keeper
    arrived = Arrived(
        provider=provider, request_id=request_id, received_at=services.clock(), body=body
    )
    new = await keeper.keep(arrived)
    if new:
        applier: Applier = request.app.state.applier
        applier.wake()
    return new
