"""A database with one newsletter, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from subscribers import queries
from subscribers.database import Database
from subscribers.model import Newsletter
from subscribers.token import Keyring

NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)


def _newsletter(slug: str, **decided: object) -> Newsletter:
    values: dict[str, object] = {
        "id": 0,
        "slug": slug,
        "name": slug.title(),
        "from_name": "Ed",
        "from_address": "ed@example.org",
        "postal_address": "1 Quay Street",
        "url": "https://example.org",
        "soft_bounce_limit": 3,
    }
    return Newsletter(**values | decided)  # type: ignore[arg-type]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.generate()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def weekly(database: Database) -> Newsletter:
    """A newsletter with double opt-in that gives up after three soft bounces."""
    with database.write() as session:
        return queries.add_newsletter(session, _newsletter("weekly"), now=NOW)


@pytest.fixture
def daily(database: Database) -> Newsletter:
    """Another, without double opt-in."""
    with database.write() as session:
        return queries.add_newsletter(session, _newsletter("daily", double_opt_in=False), now=NOW)
