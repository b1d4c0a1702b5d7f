"""Every provider's endpoint, in the real app with a real database."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import select

from mailer.errors import FetchRefused
from mailer.feedback.apply import apply_waiting
from mailer.web.app import create_app
from mailer.web.services import WebServices
from mailer.webhooks.providers import PROVIDERS, Provider
from mailer.webhooks.sample import Sample, make
from subscribers.tables import events
from tests.integration.feedback.world import World
from tests.integration.web.client import Client
from tests.unit.webhooks.test_sns import HOST, hello


def opened(services: WebServices, sample: Sample) -> Client:
    """The app with the settings that a sample verifies with."""
    settings = sample.settings.model_copy(update={"web": services.settings.web})
    with_sample = replace(services, settings=settings, fetch=sample.incoming.certificate)
    app = create_app(with_sample)
    return Client(httpx.ASGITransport(app=app, raise_app_exceptions=False))


def keep(world: World, provider: str, body: bytes) -> None:
    """As an endpoint does once it has verified a request."""
    world.keep_all([("r1", body)], provider=provider)


def sampled(services: WebServices, world: World, provider: Provider) -> tuple[Sample, Client]:
    sample = make(provider, services.settings, now=world.now)
    return sample, opened(services, sample)


def test_each_sample_is_kept_once_and_ignored_as_none_of_ours(
    services: WebServices, world: World
) -> None:
    answers = {}
    for provider in PROVIDERS.values():
        sample, client = sampled(services, world, provider)
        headers = dict(sample.incoming.headers)
        twice = [
            client.post(provider.path, content=sample.incoming.body, headers=headers)
            for _ in range(2)
        ]
        answers[provider.name] = [(one.status_code, one.text.split()[0]) for one in twice]
    assert answers == {name: [(200, "Kept;"), (200, "This")] for name in PROVIDERS}
    assert world.apply() == len(PROVIDERS)
    assert all(str(result).startswith("1 ignored: ") for result in world.results())


def test_closed_unproved_and_oversized_requests_leave_no_trace(
    services: WebServices, world: World, client: Client
) -> None:
    answers = {}
    for provider in PROVIDERS.values():
        sample, open_client = sampled(services, world, provider)
        body, headers = sample.incoming.body, dict(sample.incoming.headers)
        forged = dict.fromkeys(headers, "x")
        answers[provider.name] = [
            client.post(provider.path, content=body, headers=headers).status_code,
            *(
                open_client.post(provider.path, content=bent, headers=forged).status_code
                for bent in (b"{}", b"", b"\xff", body[:-2])
            ),
            open_client.post(provider.path, content=b"x" * 100_001, headers=headers).status_code,
        ]
    assert answers == {name: [404, 401, 401, 401, 401, 413] for name in PROVIDERS}
    assert world.results() == []


def test_only_known_providers_have_endpoints(client: Client) -> None:
    for name in ("nobody", "generic2", "%00", "amazon_ses."):
        assert client.post(f"/webhooks/{name}", content=b"{}").status_code == 404


def test_mandrill_asks_by_head_first(services: WebServices, world: World, client: Client) -> None:
    _, open_client = sampled(services, world, PROVIDERS["mandrill"])
    assert open_client.send("HEAD", "/webhooks/mandrill").status_code == 200
    assert client.send("HEAD", "/webhooks/mandrill").status_code == 404


def test_a_bounce_of_a_copy_of_ours_suppresses_its_address(
    services: WebServices, world: World
) -> None:
    person = world.add_person("nobody@example.com")
    campaign = world.add_campaign()
    world.add_copy(campaign, "nobody@example.com", person, provider_id="13792286917004336")
    sample, client = sampled(services, world, PROVIDERS["mailjet"])
    client.post("/webhooks/mailjet", content=sample.incoming.body, headers=sample.incoming.headers)
    world.apply()
    assert world.status(person) == "bounced"
    with world.database.read() as session:
        sources = session.execute(select(events.c.source).where(events.c.type == "bounced"))
        assert sources.scalars().all() == ["mailjet"]


def test_azure_is_answered_at_once(services: WebServices, world: World) -> None:
    sample, client = sampled(services, world, PROVIDERS["azure"])
    hello = b"""[{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
                  "data": {"validationCode": "512d38b6"}}]"""
    answer = client.post("/webhooks/azure", content=hello, headers=sample.incoming.headers)
    assert answer.json() == {"validationResponse": "512d38b6"}
    assert client.post("/webhooks/azure", content=hello).status_code == 401
    assert world.results() == []


@pytest.mark.parametrize("reachable", [True, False])
def test_a_subscription_is_confirmed_by_the_applier(world: World, reachable: bool) -> None:
    url = f"{HOST}/?Action=ConfirmSubscription&Token=t"
    asked: list[str] = []

    def fetch(target: str) -> bytes:
        asked.append(target)
        if not reachable:
            raise FetchRefused("down")
        return b"<ok/>"

    keep(world, "amazon_ses", hello(url))
    done = apply_waiting(world.database, world.keyring, now=world.now, confirm=fetch)
    assert (done, asked) == (1, [url])
    expected = "the subscription is confirmed" if reachable else "not confirmed: down"
    assert str(world.results()[0]).startswith(expected)


def test_opens_are_nobodys_business(world: World) -> None:
    keep(world, "mailjet", b'[{"event": "open", "time": 1, "email": "a@example.com"}]')
    world.apply()
    assert world.results() == ["1 not tracked: opened"]
    with world.database.read() as session:
        assert session.execute(select(events.c.id)).all() == []
