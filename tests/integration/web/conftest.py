from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from mailer.settings import Settings, WebSettings
from mailer.web.app import create_app
from mailer.web.services import WebServices
from subscribers.database import Database
from tests.integration.feedback.world import SECRET, World
from tests.integration.web.client import Client


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Two newsletters in an otherwise empty database, of each kind in turn."""
    database = Database(database_url)
    made = World(database=database)
    made.add_newsletter("weekly")
    made.add_newsletter("daily", double_opt_in=False)
    yield made
    database.dispose()


@pytest.fixture
def services(world: World) -> WebServices:
    """What the app under test works with; the generic webhook is open."""
    settings = Settings(
        public_url="https://news.example.com",
        web=WebSettings(generic_secret=SecretStr(SECRET), max_body=100_000),
    )
    return WebServices(
        settings=settings,
        database=world.database,
        keyring=world.keyring,
        clock=lambda: world.now,
    )


@pytest.fixture
def client(services: WebServices) -> Client:
    """The real app, spoken to without a socket."""
    transport = httpx.ASGITransport(app=create_app(services), raise_app_exceptions=False)
    return Client(transport)
