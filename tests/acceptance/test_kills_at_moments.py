"""Workers killed with -9 at each moment of a copy's way, one after the other, in one campaign.

At some moments the sink leaves the worker waiting, at others the worker kills itself. Which
copies a victim had under way is read from its intents.

The gate is asked for a batch of copies, before the first MAIL, whatever the relay offers: so
rows 2 to 6 end alike, in `unknown`, and never in a second copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from sqlalchemy import select

from mailer.delivery.tables import deliveries, intents
from subscribers.tables import subscribers
from tests import stacks
from tests.acceptance.installation import Installation, installed
from tests.services import sink as sinks

PEOPLE = 300
OPEN = 8
SETTINGS = {
    "PRESSRUN_SENDING__MAX_OPEN_INTENTS": str(OPEN),
    "PRESSRUN_SENDING__CHUNK_SIZE": "10",
    "PRESSRUN_RELAY__CONNECTIONS": "2",
}
WAYS = {
    "chunked": sinks.EXTENSIONS,
    "pipelined": ("PIPELINING", "8BITMIME"),
    "lockstep": ("8BITMIME",),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """When a worker is killed; `held` by the sink at this moment, else it does it itself.

    `flown`: whether it may have had copies under way; `arrived`: whether some of them did.
    """

    moment: str
    held: bool = True
    flown: bool = True
    arrived: bool = False
    sent: bool = False


ROWS = {
    "fault 01: killed after the claim": Row(moment="EHLO", flown=False),
    "fault 02: killed after MAIL": Row(moment="MAIL"),
    "fault 03: killed after RCPT": Row(moment="RCPT"),
    "fault 04: killed before the intent is durable": Row(moment="gate", held=False, flown=False),
    "fault 05: killed in the body": Row(moment="body"),
    "fault 06: killed after the dot, not taken": Row(moment="dot"),
    "fault 06: killed after the dot, taken": Row(moment="taken", arrived=True),
    "fault 07: killed before the outcome is durable": Row(
        moment="outcomes", held=False, arrived=True
    ),
    "fault 08: killed before the ack": Row(moment="ack", held=False, arrived=True, sent=True),
}
#: What a database or a broker has a part in.
SHARED = [name for name, row in ROWS.items() if not row.held]


#: Stack, way, and whether all rows are struck.
Kind: TypeAlias = tuple[str, str, bool]


def cases() -> Iterator[object]:
    """Each row on SQLite, the shared ones on the others, and in chaos all, in every way."""
    for stack in stacks.ALL:
        for way in WAYS:
            always = way == "chunked"
            for name, row in ROWS.items():
                short = always and (stack == stacks.EMBEDDED or name in SHARED)
                everything = "" if short else " of all"
                yield pytest.param(
                    (stack, way, stack == stacks.EMBEDDED or not short),
                    row,
                    id=f"{name}-{stack}-{way}{everything}",
                    marks=() if short else pytest.mark.chaos,
                )


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A campaign that is over, and which process was killed at which moment."""

    here: Installation
    campaign: int
    victims: dict[str, int]

    def flown(self, moment: str) -> list[tuple[str, int]]:
        """State and copies of each delivery that the victim had leave to let fly."""
        copies = Counter(mail.rcpt for mail in self.here.accepted())
        with self.here.database.read() as session:
            rows = session.execute(
                select(deliveries.c.state, subscribers.c.address)
                .join(intents, intents.c.delivery_id == deliveries.c.id)
                .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
                .where(intents.c.worker.like(f"%:{self.victims[moment]}:%"))
            ).all()
        return [(row.state, copies[row.address]) for row in rows]


@pytest.fixture(scope="module")
def striking(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Kind], Struck]]:
    """Gives what rows of one kind share: made for the first, ended where another is asked for."""
    with ExitStack() as end:
        last: dict[Kind, Struck] = {}

        def struck(kind: Kind) -> Struck:
            if kind not in last:
                last.clear()
                end.close()
                folder = tmp_path_factory.mktemp("struck")
                last[kind] = end.enter_context(strikes(request, kind, folder))
            return last[kind]

        yield struck


@contextmanager
def strikes(request: pytest.FixtureRequest, kind: Kind, folder: Path) -> Iterator[Struck]:
    """Send a campaign with workers that are killed, one at each moment, until it is over."""
    name, way, every = kind
    rows = [row for name, row in ROWS.items() if every or name in SHARED]
    behaviour = sinks.Behaviour(extensions=WAYS[way], holding=True)
    with (
        stacks.fresh(request, name, folder) as stack,
        installed(
            folder, stack.database_url, stack.broker_url, behaviour=behaviour, extra=SETTINGS
        ) as here,
    ):
        here.add_people(PEOPLE)
        campaign = here.schedule()
        here.start("clock")
        here.wait(lambda: here.state(campaign) == "sending")
        victims = {row.moment: strike(here, row) for row in rows}
        here.start("worker")
        here.wait_until_over(campaign)
        yield Struck(here=here, campaign=campaign, victims=victims)


def strike(here: Installation, row: Row) -> int:
    """Start a worker and see it killed at its moment; gives its pid."""
    if row.held:
        sinks.hold(here.sink_log, row.moment)
        victim = here.start("worker")
        here.wait(lambda: sinks.held(here.sink_log) > 0)
        here.kill(victim)
        sinks.hold(here.sink_log, "")
    else:
        # Only a process with a clock of its own has a broker in it that wakes it.
        command = ("serve", "--port", "0") if row.moment == "ack" else ("worker",)
        victim = here.start(*command, doom=row.moment)
        here.wait(lambda: victim.poll() is not None)
        assert victim.returncode == -9, here.words()
    return victim.pid


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("kind", "row"), [*cases()])
def test_a_worker_is_killed(striking: Callable[[Kind], Struck], kind: Kind, row: Row) -> None:
    struck = striking(kind)
    figures = struck.here.check(struck.campaign, unknown=len(struck.victims) * OPEN)
    assert figures["sent"] + figures.get("unknown", 0) == PEOPLE
    flown = struck.flown(row.moment)
    states = {state for state, _ in flown}
    arrived = [state for state, copies in flown if copies]
    assert bool(flown) is row.flown
    assert states <= {"unknown", "sent"}
    assert ("sent" in states) is row.sent
    assert bool(arrived) is row.arrived
    assert [state for state, _ in flown].count("unknown") <= OPEN
