"""What each request to the preview meets first, and what each answer carries.

A page on the web can make a browser ask 127.0.0.1, and by DNS rebinding even read what comes back.
So the Host header must name this machine, requests that another site's page makes are refused, and
the path begins with a key that only the printed address holds: others on this machine lack it.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mailer.web.guard import with_headers

#: The page itself: its own style sheet and script, the frame, and nothing from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
    " frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class LocalGuard:
    """ASGI middleware: lets through what this machine's browser asks on its user's behalf."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), str(scope["method"]))
        await (refusal or self._app)(scope, receive, with_headers(send, _HEADERS))

    def _refusal(self, headers: Headers, method: str) -> PlainTextResponse | None:
        if headers.get("host", "").lower() not in self._hosts:
            words = "The preview answers to 127.0.0.1 alone.\n"
            return PlainTextResponse(words, HTTPStatus.MISDIRECTED_REQUEST)
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            words = "The preview answers no other site's page; open its address yourself.\n"
            return PlainTextResponse(words, HTTPStatus.FORBIDDEN)
        if method not in ("GET", "HEAD"):
            return PlainTextResponse("There is nothing to change here.\n", 405)
        return None
