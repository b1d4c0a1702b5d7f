"""`/metrics`, `/readyz` and request ids, over the real app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from mailer.delivery import ledger
from mailer.delivery.fuse import queries as fuse
from mailer.delivery.model import Verdict
from mailer.queue import broker
from mailer.settings import Settings, WebSettings
from mailer.web.app import create_app
from mailer.web.services import WebServices
from subscribers.database import Database
from tests.integration.delivery.conftest import World
from tests.services.process import free_port

TOKEN = "a token of metrics"
Ask = Callable[..., httpx.Response]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A newsletter on each kind of database in turn."""
    made = World(database=Database(database_url))
    made.add_newsletter()
    yield made
    made.database.dispose()


def asking(world: World, *, client: str = "203.0.113.9", **web: object) -> Ask:
    """Ask an app with these settings, from this address."""
    services = WebServices(
        settings=Settings(web=WebSettings.model_validate(web)),
        database=world.database,
        keyring=world.keyring,
        clock=lambda: world.now,
    )
    transport = httpx.ASGITransport(app=create_app(services), client=(client, 4321))

    def ask(path: str, **headers: str | bytes) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
                return await http.get(path, headers=[*headers.items()])

        return asyncio.run(send())

    return ask


def figures(world: World) -> dict[tuple[str, ...], float]:
    """Every sample by its name and labels, as Prometheus reads them."""
    answer = asking(world, client="127.0.0.1", metrics="loopback")("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_ledger(world: World) -> None:
    world.add_people(*(f"p{n}@gmail.com" for n in range(5)))
    campaign = world.add_campaign()
    world.plan(campaign)
    waiting = world.add_campaign(words="other")
    assert figures(world)["pressrun_chunks_waiting",] == 1
    claim = world.claim()
    assert claim is not None
    ids = world.ids(campaign)
    world.pass_gate(claim, ids[:3])
    ends = [
        world.outcome(ids[0], Verdict.SENT),
        world.outcome(ids[1], Verdict.FAILED, code=550),
    ]
    with world.database.write() as session:
        ledger.record_outcomes(
            session, [ledger.Decision(outcome=end) for end in ends], now=world.now
        )
        fuse.add(session, "a", [(claim, end) for end in ends])
    found = figures(world)
    of = f"campaign={campaign}"
    assert found["pressrun_campaigns", "state=sending"] == 1
    assert found["pressrun_campaigns", "state=scheduled"] == 1
    assert found["pressrun_campaigns", "state=paused"] == 0
    assert found["pressrun_deliveries", of, "state=sent"] == 1
    assert found["pressrun_deliveries", of, "state=failed"] == 1
    assert found["pressrun_deliveries", of, "state=sending"] == 1
    assert found["pressrun_deliveries", of, "state=queued"] == 2
    assert found["pressrun_copies_tried_total", "lane=gmail"] == 2
    assert found["pressrun_subscriptions", "newsletter=weekly", "status=active"] == 5
    assert found["pressrun_chunks_waiting",] == 0
    assert found["pressrun_clock_lag_seconds",] == 0
    assert found["pressrun_intake_waiting",] == 0
    assert not [name for name in found if f"campaign={waiting}" in name]


def test_lags_grow_while_nothing_drives(world: World) -> None:
    world.add_people("ann@example.com")
    world.plan(world.add_campaign())
    world.now += timedelta(seconds=90)
    world.add_campaign(words="due")
    world.now += timedelta(seconds=30)
    found = figures(world)
    assert found["pressrun_clock_lag_seconds",] == 120
    assert found["pressrun_due_lag_seconds",] == 30


def test_figures_are_made_anew_only_now_and_then(world: World) -> None:
    ask = asking(world, client="127.0.0.1", metrics="loopback")
    before = ask("/metrics").text
    world.add_people("ann@example.com")
    assert ask("/metrics").text == before


@pytest.mark.parametrize(
    ("client", "settings", "headers", "sees"),
    [
        ("203.0.113.9", {"metrics_token": TOKEN}, {"authorization": f"Bearer {TOKEN}"}, True),
        ("203.0.113.9", {"metrics_token": TOKEN}, {"authorization": "Bearer wrong"}, False),
        ("203.0.113.9", {"metrics_token": TOKEN}, {"authorization": "Bearer \u00e4"}, False),
        ("127.0.0.1", {"metrics_token": TOKEN}, {}, False),
        ("127.0.0.1", {}, {}, False),
        ("127.0.0.1", {}, {"authorization": "Bearer "}, False),
        ("127.0.0.1", {"metrics": "loopback"}, {}, True),
        ("::1", {"metrics": "loopback"}, {}, True),
        ("203.0.113.9", {"metrics": "loopback"}, {}, False),
        # What a proxy on this machine passes on comes from loopback, too.
        ("127.0.0.1", {"metrics": "loopback"}, {"x-forwarded-for": "203.0.113.9"}, False),
        (
            "203.0.113.9",
            {"metrics": "loopback", "metrics_token": TOKEN},
            {"authorization": f"Bearer {TOKEN}"},
            True,
        ),
    ],
)
def test_who_sees_the_figures(
    world: World, client: str, settings: dict[str, object], headers: dict[str, str], sees: bool
) -> None:
    if "metrics_token" in settings:
        settings = settings | {"metrics_token": SecretStr(TOKEN)}
    sent = {name: value.encode() for name, value in headers.items()}
    answer = asking(world, client=client, **settings)("/metrics", **sent)
    assert (answer.status_code == 200) is sees
    assert ("pressrun_" in answer.text) is sees


def test_ready_is_who_has_database_and_schema(world: World) -> None:
    ask = asking(world)
    assert ask("/readyz").json() == {
        "status": "ready",
        "database": "ok",
        "schema": "ok",
        "broker": "none",
    }
    with world.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    answer = ask("/readyz")
    assert answer.status_code == 503
    assert answer.json()["schema"] == "too old"
    assert ask("/healthz").status_code == 200


@pytest.mark.parametrize("kind", ["redis", "amqp"])
def test_without_a_broker_it_is_slower_and_ready(world: World, kind: str) -> None:
    nowhere = f"{kind}://127.0.0.1:{free_port()}/"
    services = WebServices(
        settings=Settings(broker_url=nowhere),
        database=world.database,
        keyring=world.keyring,
        ping_broker=lambda: broker.ping(nowhere),
    )
    transport = httpx.ASGITransport(app=create_app(services))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            return await http.get("/readyz")

    answer = asyncio.run(ask())
    assert answer.status_code == 200
    assert answer.json()["broker"] == "out of reach"


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("x" * 65, False), ("a b", False), ("", False)]
)
def test_a_request_keeps_a_fit_id_or_gets_one(world: World, given: str, kept: bool) -> None:
    told = asking(world)("/healthz", **{"x-request-id": given}).headers["x-request-id"]
    assert (told == given) if kept else (len(told) == 16)
