"""What holds for every answer: headers, caps, errors in words, a database that is down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from mailer.web.app import create_app
from mailer.web.services import WebServices
from subscribers.database import Database
from subscribers.token import Scope
from tests.integration.feedback.world import World, sign
from tests.integration.web.client import Client, chunked

TOO_MUCH = 100_001


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is tested here is the same on every database."""
    return sqlite_url


@pytest.fixture(params=["sqlite", "postgres"])
def down(request: pytest.FixtureRequest, free_port: int, tmp_path: Path) -> Iterator[Database]:
    """A database that does not answer, of each kind."""
    urls = {
        "sqlite": f"sqlite:///{tmp_path / 'no such folder' / 'pressrun.db'}",
        "postgres": f"postgresql+psycopg://nobody@127.0.0.1:{free_port}/none?connect_timeout=2",
    }
    database = Database(urls[request.param])
    yield database
    database.dispose()


@pytest.mark.parametrize("path", ["/", "/healthz", "/u/x", "/nothing", "/webhooks/generic"])
def test_every_answer_has_safe_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/webhooks", "/u/", "/v/"])
def test_there_is_nothing_else_to_find(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/"), ("DELETE", "/u/x"), ("GET", "/webhooks/generic")]
)
def test_another_method_is_refused(client: Client, method: str, path: str) -> None:
    answer = client.send(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]


def test_healthy(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.send("HEAD", "/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/u/x", "/webhooks/generic"])
def test_fault_28_a_body_too_large_is_refused_however_it_comes(client: Client, path: str) -> None:
    whole = client.post(path, content=b"x" * TOO_MUCH)
    pieces = client.post(path, content=chunked([b"x" * 1_000] * 101))
    lied = client.post(path, content=b"x", headers={"content-length": "9" * 30})
    assert [a.status_code for a in (whole, pieces, lied)] == [413, 413, 413]
    assert "at most 100000 bytes" in pieces.text


def test_fault_28_a_compressed_body_is_refused(client: Client) -> None:
    for coding in ("gzip", "br", "deflate, identity"):
        answer = client.post(
            "/webhooks/generic", content=b"x", headers={"content-encoding": coding}
        )
        assert answer.status_code == 415
    answer = client.post("/u/x", content=b"x", headers={"content-encoding": "identity"})
    assert answer.status_code == 404


def test_fault_30_a_database_that_is_down_is_503_and_try_again(
    services: WebServices, down: Database, world: World
) -> None:
    app = create_app(replace(services, database=down))
    client = Client(httpx.ASGITransport(app=app, raise_app_exceptions=False))
    leave = f"/u/{world.token(Scope.UNSUBSCRIBE, 1)}"
    body = b"{}"
    answers = [
        client.get("/healthz"),
        client.get("/"),
        client.get(leave),
        client.post(leave, data={"List-Unsubscribe": "One-Click"}),
        client.post("/webhooks/generic", content=body, headers=sign(body)),
    ]
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"] == "30"
        assert "Nothing was changed" in answer.text
        assert "nobody" not in answer.text  # not a word of how the database is reached


def test_a_mistake_of_ours_is_told_without_details(
    services: WebServices, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("canary")

    app = create_app(replace(services, clock=broken))  # type: ignore[arg-type]
    client = Client(httpx.ASGITransport(app=app, raise_app_exceptions=False))
    token = world.token(Scope.UNSUBSCRIBE, 1)
    answer = client.get(f"/u/{token}")
    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "GET /u/{token} failed" in caplog.text
    assert token not in caplog.text
