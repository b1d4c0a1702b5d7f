from __future__ import annotations

from collections.abc import Iterator

import pytest

from subscribers.database import Database
from tests.integration.feedback.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Two newsletters in an otherwise empty database, of each kind in turn."""
    database = Database(database_url)
    made = World(database=database)
    made.add_newsletter("weekly")
    made.add_newsletter("daily", double_opt_in=False)
    yield made
    database.dispose()
