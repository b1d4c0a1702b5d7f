"""Each request has an id, which its log lines carry and its answer names."""

from __future__ import annotations

import logging
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailer.logs import about

log = logging.getLogger(__name__)

HEADER = "x-request-id"
_FIT = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RequestIds:
    """ASGI middleware: takes the id that a proxy gave, or makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _FIT.fullmatch(given) else secrets.token_hex(8)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
                # The route, never the path: paths hold tokens.
                route = getattr(scope.get("route"), "path", "an unknown path")
                log.debug("%s %s: %s", scope["method"], route, message["status"])
            await send(message)

        with about(request=request_id):
            await self._app(scope, receive, send_with_id)
