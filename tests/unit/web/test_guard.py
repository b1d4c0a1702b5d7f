"""The body is read whole, in time, or refused, before the app hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from mailer.web import guard
from mailer.web.guard import Guard


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


def serve(pieces: Sequence[Message], *headers: tuple[bytes, bytes]) -> list[Message]:
    """What is sent back for the messages received; then the client is silent."""
    sent: list[Message] = []
    waiting = list(pieces)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [*headers]}
    asyncio.run(Guard(echo, max_body=10)(scope, receive, send))
    return sent


def piece(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_pieces_become_one_body() -> None:
    start, body = serve([piece(b"hello"), piece(b""), piece(b"world", more=False)])
    assert (start["status"], body["body"]) == (200, b"helloworld")


@pytest.mark.parametrize(
    ("pieces", "headers", "status"),
    [
        pytest.param([piece(b"x" * 6), piece(b"x" * 5)], (), 413, id="too large in pieces"),
        pytest.param([], ((b"content-length", b"11"),), 413, id="declared too large"),
        pytest.param([], ((b"content-length", b"9" * 99),), 413, id="declared endless"),
        pytest.param([], ((b"content-encoding", b"GZIP"),), 415, id="compressed"),
        pytest.param([piece(b"x")], (), 408, id="too slow"),
    ],
)
def test_a_body_that_is_not_taken(
    pieces: list[Message],
    headers: tuple[tuple[bytes, bytes], ...],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    start, _ = serve(pieces, *headers)
    assert start["status"] == status
    assert (b"x-content-type-options", b"nosniff") in start["headers"]


def test_nobody_is_answered_who_went_away() -> None:
    assert serve([piece(b"x"), {"type": "http.disconnect"}]) == []
