"""What every request meets first: a cap on its body; and every answer last: safe headers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: How long a client may take to hand over its body, in seconds.
BODY_SECONDS = 30.0

_SAFE_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Links hold tokens: no other site is told where its visitors come from.
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "cross-origin-resource-policy": "same-origin",
}


class _Refused(Exception):
    """The body is not taken; holds the answer."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.answer = PlainTextResponse(words + "\n", status_code=status)


class Guard:
    """ASGI middleware: reads the whole body, at most `max_body` bytes, before the app runs.

    Counting what arrives covers chunked bodies too. Compressed bodies are refused, so that
    there is nothing to blow up.
    """

    def __init__(self, app: ASGIApp, *, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        safe_send = with_headers(send, _SAFE_HEADERS)
        try:
            body = await self._read(Headers(scope=scope), receive)
        except _Refused as refused:
            await refused.answer(scope, receive, safe_send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), safe_send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The body; None where the client went away."""
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise _Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body without Content-Encoding."
            )
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._max_body:
            raise self._too_large()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._collect(receive)
        except TimeoutError:
            raise _Refused(HTTPStatus.REQUEST_TIMEOUT, "The body took too long.") from None

    async def _collect(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_body:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> _Refused:
        words = f"The body may have at most {self._max_body} bytes."
        return _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def with_headers(send: Send, safe: Mapping[str, str]) -> Send:
    """`send` that adds these headers to an answer that does not say otherwise."""

    async def safe_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in safe.items():
                headers.setdefault(name, value)
        await send(message)

    return safe_send
