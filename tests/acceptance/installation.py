"""A whole installation to be mistreated: processes of its own, and a sink that knows the truth."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select

from mailer.campaign import queries as campaign_queries
from mailer.campaign.schedule import schedule
from mailer.campaign.tables import campaigns
from mailer.delivery import ledger
from mailer.delivery.tables import deliveries, intents
from mailer.render.model import FORMAT, Escape, Rendering, Slot, SlotKind
from subscribers import queries as people
from subscribers.database import Database
from subscribers.model import Newsletter, OwnerMail
from subscribers.tables import subscribers, subscriptions
from subscribers.token import Keyring
from tests.services import sink as sinks

#: Everything that waits does so for tenths of a second.
QUICK = {
    "PRESSRUN_SENDING__LEASE_SECONDS": "2",
    "PRESSRUN_SENDING__SLICE_SECONDS": "3",
    "PRESSRUN_SENDING__POLL_SECONDS": "0.1",
    "PRESSRUN_SENDING__CLOCK_SECONDS": "0.1",
    "PRESSRUN_SENDING__REWAKE_SECONDS": "0.5",
    "PRESSRUN_SENDING__RETRY_FIRST": "0.5",
    "PRESSRUN_SENDING__RETRY_MOST": "1",
    "PRESSRUN_SENDING__CHUNK_SIZE": "100",
    "PRESSRUN_SENDING__CONNECT_TIMEOUT": "5",
    "PRESSRUN_SENDING__COMMAND_TIMEOUT": "5",
    "PRESSRUN_SENDING__REPLY_TIMEOUT": "10",
    "PRESSRUN_SENDING__GRACE_SECONDS": "10",
    "PRESSRUN_RELAY__CONNECTIONS": "4",
}
MAX_OPEN_INTENTS = 32
#: Whose newsletter it is, and who is told of trouble with it.
OWNER = "weekly@example.com"


@dataclass
class Installation:
    """A database, keys, a sink, and the processes started on them; ended by pid at the end."""

    folder: Path
    database_url: str
    broker_url: str | None
    sink_port: int
    sink_log: Path
    keyring: Keyring = field(default_factory=Keyring.generate)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Database(self.database_url)
        keys = self.folder / "pressrun.keys"
        keys.write_text(self.keyring.to_text())
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PRESSRUN_")},
            **QUICK,
            "PRESSRUN_DATABASE_URL": self.database_url,
            "PRESSRUN_KEYS_FILE": str(keys),
            "PRESSRUN_RELAY__HOST": "127.0.0.1",
            "PRESSRUN_RELAY__PORT": str(self.sink_port),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **self.extra,
        }
        if self.broker_url:
            self.environment["PRESSRUN_BROKER_URL"] = self.broker_url
        with self.database.write() as session:
            self.newsletter = people.add_newsletter(
                session,
                Newsletter(
                    id=0,
                    slug="weekly",
                    name="Weekly",
                    from_name="Weekly",
                    from_address=OWNER,
                    postal_address="1 Road, Town",
                    url="https://example.com",
                    double_opt_in=False,
                    # What arrives is counted: by the readers' copies alone.
                    owner_mail=OwnerMail.TROUBLE,
                ),
                now=datetime.now(UTC),
            )

    # -- people and campaigns --------------------------------------------------------------

    def add_people(
        self, count: int, *, prefix: str = "p", domain: str = "example.com"
    ) -> list[str]:
        """Subscribe so many people at once."""
        now = datetime.now(UTC)
        addresses = [f"{prefix}{n}@{domain}" for n in range(count)]
        with self.database.write() as session:
            first = session.execute(
                select(func.coalesce(func.max(subscribers.c.id), 0))
            ).scalar_one()
            rows = [
                {
                    "id": first + n + 1,
                    "address": address,
                    "address_key": address,
                    "address_hash": self.keyring.address_hash(address),
                    "domain": domain,
                    "domain_hash": self.keyring.domain_hash(domain),
                    "name": f"Person {n}",
                    "attributes": {},
                    "tags": [],
                    "created_at": now,
                }
                for n, address in enumerate(addresses)
            ]
            session.execute(insert(subscribers), rows)
            session.execute(
                insert(subscriptions),
                [
                    {
                        "newsletter_id": self.newsletter.id,
                        "subscriber_id": row["id"],
                        "status": "active",
                        "joined_at": now,
                        "source": "test",
                        "soft_bounces": 0,
                    }
                    for row in rows
                ],
            )
        return addresses

    def schedule(self, *, number: int = 1, again: bool = False) -> int:
        """Schedule a small issue for now."""
        now = datetime.now(UTC)
        with self.database.write() as session:
            return schedule(
                session,
                rendering(number),
                newsletter=self.newsletter,
                issue_number=number,
                due_at=now,
                timezone="UTC",
                again=again,
                now=now,
            )

    # -- processes ------------------------------------------------------------------------

    def start(self, *command: str, doom: str = "") -> subprocess.Popen[bytes]:
        """Start `mailer COMMAND` as an own process; its words go to a file in `folder`.

        With `doom` it kills itself at that point of its work (`doomed`).
        """
        program = ("tests.acceptance.doomed", doom) if doom else ("mailer",)
        log = self.folder / f"{'-'.join(command)}-{len(self.processes)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *program, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run `mailer COMMAND` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "mailer", *command],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            check=False,
            timeout=60,
        )

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9."""
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def end(self) -> None:
        """End whatever still runs; a stopped one is woken to hear it."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill(process)
        self.database.dispose()

    # -- what is so -----------------------------------------------------------------------

    def accepted(self) -> list[sinks.Accepted]:
        """What the sink took for readers: the truth."""
        return [mail for mail in sinks.read_log(self.sink_log) if mail.rcpt != OWNER]

    def alarms(self) -> list[sinks.Accepted]:
        """What the sink took for the newsletter's owner."""
        return [mail for mail in sinks.read_log(self.sink_log) if mail.rcpt == OWNER]

    def state(self, campaign: int) -> str:
        """The campaign's state."""
        with self.database.read() as session:
            return campaign_queries.get(session, campaign).state

    def wait(self, until: Callable[[], bool], *, seconds: float = 90) -> None:
        """Wait for something to come about; the test fails where it does not."""
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, self.words()
            time.sleep(0.05)

    def wait_until_over(self, campaign: int, *, seconds: float = 90) -> None:
        """Wait until nothing more can happen by itself."""
        self.wait(
            lambda: self.state(campaign) in ("finished", "paused", "cancelled"), seconds=seconds
        )

    def words(self) -> str:
        """What the processes said, and where the campaigns stand, for a failing test."""
        logs = sorted(self.folder.glob("*.log"))
        said = "\n".join(f"--- {log.name}\n{log.read_text()[-1500:]}" for log in logs)
        columns = (campaigns.c.id, campaigns.c.kind, campaigns.c.state, campaigns.c.pause_reason)
        with self.database.read() as session:
            stand = [tuple(row) for row in session.execute(select(*columns))]
        return f"{said}\n--- campaigns: {stand}"

    def check(self, campaign: int, *, kills: int = 0, unknown: int | None = None) -> dict[str, int]:
        """Join the sink's log with the ledger; asserts the invariants of the promise.

        At most `unknown` copies may be that: what so many killed workers had under way, where
        nothing is said. Gives the figures: copies by state, and how many unknown were in truth
        delivered.
        """
        copies = Counter(mail.rcpt for mail in self.accepted())
        with self.database.read() as session:
            balance = ledger.balance(session, campaign)
            rows = session.execute(
                select(subscribers.c.address, deliveries.c.state)
                .join(deliveries, deliveries.c.subscriber_id == subscribers.c.id)
                .where(deliveries.c.campaign_id == campaign)
            ).all()
        doubled = [address for address, count in copies.items() if count > 1]
        assert not doubled, f"two copies for {doubled[:5]}"
        assert balance.closed, balance
        assert balance.balances, balance
        for row in rows:
            got = copies[row.address]
            if row.state == "sent":
                assert got == 1, f"{row.address}: sent, and got {got}"
            elif row.state in ("skipped", "cancelled", "failed"):
                assert got == 0, f"{row.address}: {row.state}, and got {got}"
        lost = [row.address for row in rows if row.state == "unknown"]
        assert len(lost) <= (kills * MAX_OPEN_INTENTS if unknown is None else unknown)
        assert set(copies) <= {row.address for row in rows}
        return {
            **{str(state): count for state, count in balance.states.items()},
            "unknown, in truth delivered": sum(copies[address] for address in lost),
        }

    def attempts(self) -> int:
        """How many intents stand in the ledger."""
        with self.database.read() as session:
            return session.execute(select(func.count()).select_from(intents)).scalar_one()


def rendering(number: int) -> Rendering:
    """A small issue with a name and an unsubscribe link."""
    return Rendering(
        format=FORMAT,
        nonce="00c0ffee",
        lang="en",
        direction="ltr",
        title=f"Issue {number}",
        subject=f"Issue {number}",
        preheader="",
        html='<p>Hello zq00c0ffeex0z</p><p><a href="zq00c0ffeex1z">Unsubscribe</a></p>',
        text="Hello zq00c0ffeex2z\n\nUnsubscribe: zq00c0ffeex3z\n",
        slots=(
            Slot(number=0, source="subscriber.name", kind=SlotKind.VALUE, escape=Escape.HTML),
            Slot(number=1, source="unsubscribe_url", kind=SlotKind.SYSTEM, escape=Escape.LINK),
            Slot(number=2, source="subscriber.name", kind=SlotKind.VALUE, escape=Escape.TEXT),
            Slot(number=3, source="unsubscribe_url", kind=SlotKind.SYSTEM, escape=Escape.TEXT),
        ),
        conditions=(),
    )


@contextmanager
def installed(
    folder: Path,
    database_url: str,
    broker_url: str | None = None,
    *,
    behaviour: sinks.Behaviour | None = None,
    extra: dict[str, str] | None = None,
) -> Iterator[Installation]:
    """An installation with a sink of its own."""
    log = folder / "sink.jsonl"
    with sinks.running(log, behaviour=behaviour or sinks.Behaviour()) as (port, _):
        installation = Installation(
            folder=folder,
            database_url=database_url,
            broker_url=broker_url,
            sink_port=port,
            sink_log=log,
            extra=extra or {},
        )
        try:
            yield installation
        finally:
            installation.end()
