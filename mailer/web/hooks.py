"""Where providers report what happened: verify, keep the raw request, answer; apply later.

Plain routes, apart from the pages': the framework's own would cost half of such a request.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mailer.feedback.model import Arrived
from mailer.web.applier import Applier
from mailer.web.keeper import Keeper
from mailer.web.services import WebServices, services_of
from mailer.webhooks.model import Incoming
from mailer.webhooks.providers import PROVIDERS, Provider
from mailer.webhooks.verify import standard_webhook


async def generic(request: Request) -> PlainTextResponse:
    """Take a signed report, once; what is in it is read by the applier."""
    services = services_of(request)
    secret = services.settings.web.generic_secret
    if secret is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    body = await request.body()
    request_id = standard_webhook(secret.get_secret_value(), request.headers, body)
    if not await _keep_and_wake(request, services, "generic", request_id, body):
        return PlainTextResponse("This request is known; nothing more to do.\n")
    return PlainTextResponse("Kept; it is applied at once.\n", HTTPStatus.ACCEPTED)


async def is_there(request: Request) -> Response:
    """Say whether an endpoint is open, as Mandrill asks before it takes a URL."""
    _open(request)
    return Response()


async def take(request: Request) -> Response:
    """Take a genuine report, once. Several providers take nothing but 200 for a yes."""
    services = services_of(request)
    found = _open(request)
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


def _open(request: Request) -> Provider:
    provider = PROVIDERS.get(request.path_params["provider"])
    if provider is None or not provider.is_open(services_of(request).settings):
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


ROUTES = (
    Route("/webhooks/generic", generic, methods=["POST"]),
    # POST before HEAD: what is neither is told which there are by the first.
    Route("/webhooks/{provider}", take, methods=["POST"]),
    Route("/webhooks/{provider}", is_there, methods=["HEAD"]),
)
