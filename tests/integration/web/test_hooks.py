"""The generic webhook: what is genuine is kept once, everything else is refused in words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import httpx

from mailer.settings import WebSettings
from mailer.web.app import create_app
from mailer.web.services import WebServices
from tests.integration.feedback.world import World, sign
from tests.integration.web.client import Client

PATH = "/webhooks/generic"


def test_a_genuine_request_is_kept_and_applied(client: Client, world: World) -> None:
    person = world.add_person("ada@example.org")
    delivery = world.add_copy(world.add_campaign(), "ada@example.org", person)
    body = json.dumps(world.report("bounced", delivery=world.verp(delivery))).encode()
    first = client.post(PATH, content=body, headers=sign(body))
    again = client.post(PATH, content=body, headers=sign(body))
    assert (first.status_code, again.status_code) == (202, 200)
    assert (first.text, again.text) == (
        "Kept; it is applied at once.\n",
        "This request is known; nothing more to do.\n",
    )
    assert world.status(person) == "active"
    assert world.apply() == 1
    assert world.status(person) == "bounced"


def test_fault_28_and_29_what_is_genuine_is_kept_even_where_it_makes_no_sense(
    client: Client, world: World
) -> None:
    bodies = {
        "empty": b"",
        "truncated": b'{"id": "',
        "deep": b"[" * 50_000,
        "NUL": b'{"id": "\x00"}',
        "escaped NUL and surrogate": b'{"id": "\\u0000", "text": "\\ud800"}',
        "too many events": b"[" + b"{}," * 2_000 + b"{}]",
    }
    for name, body in bodies.items():
        answer = client.post(PATH, content=body, headers=sign(body, id=name))
        assert answer.status_code == 202, name
    assert world.apply() == len(bodies)
    assert None not in world.results()


def test_fault_29_what_is_not_genuine_leaves_no_trace(client: Client, world: World) -> None:
    body = b"{}"
    good = sign(body)
    late = world.now - timedelta(seconds=301)
    refused = {
        "nothing": ({}, body),
        "forged": (sign(body, secret="whsec_" + "A" * 43), body),
        "altered": (good, b"{ }"),
        "truncated": (good, b"{"),
        "invalid UTF-8": (good, b"\xff"),
        "replayed late": (sign(body, at=late), body),
        "under another id": ({**good, "webhook-id": "m2"}, body),
        "with a word for a time": ({**good, "webhook-timestamp": "now"}, body),
        "without a version": ({**good, "webhook-signature": "x"}, body),
        "with an endless id": (sign(body, id="x" * 300), body),
    }
    answers = {
        name: client.post(PATH, content=content, headers=headers).status_code
        for name, (headers, content) in refused.items()
    }
    assert answers == dict.fromkeys(refused, 401)
    assert world.results() == []


def test_without_a_secret_the_endpoint_is_closed(services: WebServices, world: World) -> None:
    closed = services.settings.model_copy(update={"web": WebSettings()})
    app = create_app(replace(services, settings=closed))
    client = Client(httpx.ASGITransport(app=app))
    assert client.post(PATH, content=b"{}", headers=sign(b"{}")).status_code == 404
    assert world.results() == []
