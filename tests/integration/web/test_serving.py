"""The real server on a real port: bodies, background work, a port that is taken."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from mailer.errors import PortTaken, SettingsInvalid
from mailer.settings import WebSettings
from mailer.web.app import create_app
from mailer.web.server import bind, server
from mailer.web.services import WebServices
from subscribers.token import Scope
from tests.integration.feedback.world import World, sign


@pytest.fixture
def url(services: WebServices) -> Iterator[str]:
    """Where uvicorn serves the app, on a free port."""
    listener = bind(WebSettings(port=0))
    serving = server(create_app(services))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving.should_exit = True
    thread.join(timeout=15)
    listener.close()
    assert not thread.is_alive()


def test_a_report_is_applied_within_two_seconds(url: str, world: World) -> None:
    person = world.add_person("ada@example.org")
    delivery = world.add_copy(world.add_campaign(), "ada@example.org", person)
    body = json.dumps(world.report("complained", delivery=world.verp(delivery))).encode()
    answer = httpx.post(f"{url}/webhooks/generic", content=body, headers=sign(body))
    answered = time.monotonic()
    assert answer.status_code == 202
    while world.status(person) != "complained":
        assert time.monotonic() - answered < 2
        time.sleep(0.02)
    assert httpx.head(f"{url}/").content == b""
    assert "server" not in answer.headers


def test_one_click_over_the_wire(url: str, world: World, capfd: pytest.CaptureFixture[str]) -> None:
    person = world.add_person("ada@example.org")
    delivery = world.add_copy(world.add_campaign(), "ada@example.org", person)
    token = world.token(Scope.UNSUBSCRIBE, delivery)
    many = [
        threading.Thread(
            target=httpx.post,
            args=(f"{url}/u/{token}",),
            kwargs={"data": {"List-Unsubscribe": "One-Click"}, "timeout": 30},
        )
        for _ in range(8)
    ]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    assert world.status(person) == "unsubscribed"
    assert world.events("web") == [("unsubscribed", "unsubscribed")]
    assert token not in "".join(capfd.readouterr())


def test_what_nobody_understood_is_forgotten_in_time(
    world: World, request: pytest.FixtureRequest
) -> None:
    for age in (31, 29):
        world.now -= timedelta(days=age)
        world.keep(b"ada@example.org", id=f"{age} days ago")
        world.apply()
        world.now += timedelta(days=age)
    request.getfixturevalue("url")
    deadline = time.monotonic() + 5
    while (bodies := world.bodies()) != [b"", b"ada@example.org"]:
        assert time.monotonic() < deadline, bodies
        time.sleep(0.02)


def test_a_body_without_end_is_cut_off(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            b"POST /webhooks/generic HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        for _ in range(2):
            raw.sendall(piece)
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_port_in_use_is_told_before_anything_starts() -> None:
    with bind(WebSettings(port=0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=f"another program listens on 127.0.0.1:{port}"):
            bind(WebSettings(port=port))
    bind(WebSettings(port=port)).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_host_that_is_not_ours_is_the_users_mistake(host: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"web\.host"):
        bind(WebSettings(host=host, port=0))
