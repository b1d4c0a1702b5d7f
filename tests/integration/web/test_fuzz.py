"""Whatever is sent over HTTP: never a 500, and no change of state without proof."""

from __future__ import annotations

import sqlite3
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case

from mailer.errors import FetchRefused
from mailer.settings import Settings, WebSettings
from mailer.web.app import create_app
from mailer.web.server import bind
from mailer.web.services import WebServices
from mailer.webhooks import sample
from mailer.webhooks.providers import PROVIDERS
from subscribers.database import Database
from subscribers.signup.model import Limits
from subscribers.token import Scope
from tests.integration.feedback.world import SECRET, World

#: What nobody changes without a link or signature of ours. Requests to subscribe are no such
#: thing: anybody may ask, and they stand in a table of their own.
_GUARDED = (
    "subscriptions", "subscribers", "consents", "suppressions", "events", "deliveries",
    "campaigns", "newsletters", "intake", "outbox", "images",
)  # fmt: skip
_HEADERS = (
    "authorization", "webhook-id", "webhook-timestamp", "webhook-signature", "x-signature",
    "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp",
    "x-mandrill-signature", "x-postal-signature", "signature", "x-amz-sns-message-type",
    "aeg-event-type", "content-type", "content-encoding",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A running web process with all endpoints open, and one person with a copy."""

    world: World
    services: WebServices
    url: str
    path: Path
    delivery: int

    def state(self) -> dict[str, list[object]]:
        """All that is guarded, row by row."""
        with sqlite3.connect(self.path) as connection:
            return {
                name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in _GUARDED
            }


def no_certificate(_url: str) -> bytes:
    raise FetchRefused


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    world = World(database=Database(sqlite_url))
    world.add_newsletter("weekly")
    person = world.add_person("ada@example.org")
    delivery = world.add_copy(world.add_campaign(), "ada@example.org", person)
    opened = Settings(
        public_url="https://news.example.com",
        web=WebSettings(generic_secret=SECRET, port=0),  # type: ignore[arg-type]
    )
    for provider in PROVIDERS.values():
        opened = sample.make(provider, opened, now=datetime.now(UTC)).settings
    services = WebServices(
        settings=opened,
        database=world.database,
        keyring=world.keyring,
        fetch=no_certificate,
        # Nobody is asked anything: a form that was understood changes nothing else.
        signup_limits=replace(Limits(), per_network=0),
    )
    with bind(opened.web) as listener:
        config = uvicorn.Config(create_app(services), log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Site(
            world=world,
            services=services,
            url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            path=tmp_path / "pressrun.db",
            delivery=delivery,
        )
        server.should_exit = True
        thread.join()
    world.database.dispose()


def described(services: WebServices) -> dict[str, object]:
    """The app's own OpenAPI, and the webhooks, whose routes have none."""
    with warnings.catch_warnings():
        # GET and HEAD share a function, and so an id.
        warnings.filterwarnings("ignore", "Duplicate Operation ID")
        told: dict[str, dict[str, object]] = create_app(services).openapi()
    text = {"type": "string"}
    told["paths"]["/webhooks/{provider}"] = {
        verb: {
            "parameters": [
                {
                    "name": "provider",
                    "in": "path",
                    "required": True,
                    "schema": {"enum": [*PROVIDERS, "generic"]},
                },
                *({"name": name, "in": "header", "schema": text} for name in _HEADERS),
                *({"name": name, "in": "query", "schema": text} for name in ("key", "type")),
            ],
            "requestBody": {
                "content": {"application/json": {"schema": {}}, "text/plain": {"schema": text}}
            },
            "responses": {"200": {"description": "Kept."}},
        }
        for verb in ("post", "head")
    }
    return told


def fuzz(operation: APIOperation, site: Site) -> None:
    # Webhooks have more to get wrong than any other route.
    most = 80 if operation.path.startswith("/webhooks") else 12

    @settings(max_examples=most, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(case=operation.as_strategy())
    def send(case: Case) -> None:
        response = case.call(base_url=site.url)
        assert response.status_code < 500, (case.as_curl_command(), response.text)

    send()


def test_no_request_is_a_500_or_changes_what_it_has_no_proof_for(site: Site) -> None:
    schema = schemathesis.openapi.from_dict(described(site.services))
    before = site.state()
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {"/u/{token}", "/webhooks/{provider}", "/api/subscribe"} <= {o.path for o in operations}
    for operation in operations:
        fuzz(operation, site)
    assert site.state() == before


def test_a_forged_token_opens_nothing_and_a_genuine_one_changes_nothing_by_get(
    site: Site,
) -> None:
    paths = described(site.services)["paths"]
    assert isinstance(paths, dict)
    routes = [(path, verb) for path, verbs in paths.items() if "{token}" in path for verb in verbs]
    assert len(routes) > 15
    before = site.state()
    with httpx.Client() as http:
        for path, verb in routes:
            for scope in Scope:
                token = site.world.token(scope, site.delivery)
                place = path.replace("{newsletter_id}", "1")
                if verb in ("get", "head"):
                    genuine = http.request(verb, site.url + place.replace("{token}", token))
                    assert genuine.status_code in (200, 404), place
                # One character is another, in the middle.
                forged = token[:16] + ("A" if token[16] != "A" else "B") + token[17:]
                answer = http.request(verb, site.url + place.replace("{token}", forged))
                assert answer.status_code in (400, 404, 422), place
    assert site.state() == before
    # And with proof it does change: what is compared would show it.
    httpx.post(f"{site.url}/u/{site.world.token(Scope.UNSUBSCRIBE, site.delivery)}")
    assert site.state() != before
