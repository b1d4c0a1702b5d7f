"""Speaking HTTP with the app, in few words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import httpx


class Client:
    """Each call is one request over a transport of httpx."""

    def __init__(self, transport: httpx.ASGITransport) -> None:
        self._transport = transport

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: object) -> httpx.Response:
        return self.send("POST", path, **options)

    def send(self, method: str, path: str, **options: object) -> httpx.Response:
        return asyncio.run(self._send(method, path, **options))

    async def _send(self, method: str, path: str, **options: object) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=self._transport, base_url="https://news.example.com"
        ) as http:
            return await http.request(method, path, **options)  # type: ignore[arg-type]


async def chunked(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for piece in pieces:
        yield piece
