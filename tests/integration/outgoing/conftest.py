from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from mailer.feedback.outgoing import payload, queries
from mailer.feedback.outgoing.model import Endpoint, Logged
from mailer.feedback.outgoing.teller import Teller
from mailer.outgoing_settings import OutgoingSettings
from subscribers.database import Database
from tests.integration.feedback.world import World
from tests.integration.outgoing.receiver import Receiver

#: Everything in tenths of a second.
QUICK = OutgoingSettings(private=True, timeout=2.0, retries=(0.01, 0.01, 0.01), rest_most=0.02)


@dataclass
class Telling:
    """A world whose news go out, with tellers that work when told to."""

    world: World
    settings: OutgoingSettings = QUICK
    tellers: list[Teller] = field(default_factory=list)

    def teller(self) -> Teller:
        made = Teller(
            database=self.world.database, keyring=self.world.keyring, settings=self.settings
        )
        self.tellers.append(made)
        return made

    def add(self, url: str, *wanted: str) -> Endpoint:
        with self.world.database.write() as session:
            return queries.add(session, url, wanted or ("*",), now=datetime.now(UTC))

    def secret(self, endpoint: Endpoint) -> str:
        return payload.secret(self.world.keyring, endpoint.seed)

    def endpoint(self, number: int = 1) -> Endpoint:
        with self.world.database.read() as session:
            return queries.get(session, number)

    def tell(self) -> int:
        """One look of one process, to its end; gives how many calls were taken."""
        with ThreadPoolExecutor(4) as pool:
            started = self.teller().tick(pool)
            wait(started)
        return sum(future.result() for future in started)

    def tell_until(self, states: set[str], *, most: int = 200) -> None:
        """Look again until every call is in one of these states."""
        for _ in range(most):
            self.tell()
            if {one.state for one in self.log()} <= states:
                return
        raise AssertionError(self.log())

    def log(self) -> list[Logged]:
        """All calls, oldest first."""
        with self.world.database.read() as session:
            return queries.log(session, most=10_000)[::-1]


@pytest.fixture
def telling(database_url: str) -> Iterator[Telling]:
    """Two newsletters in an otherwise empty database, of each kind in turn."""
    world = World(database=Database(database_url))
    world.add_newsletter("weekly")
    world.add_newsletter("daily", double_opt_in=False)
    yield Telling(world=world)
    world.database.dispose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A system that takes all it is told."""
    with Receiver() as made:
        yield made
