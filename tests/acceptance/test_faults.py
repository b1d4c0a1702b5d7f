"""Rows of the fault matrix that meet a whole installation: database, disk, broker, clock, renderer.

The sink's log, joined with the ledger, is the judge, as in `test_kill9`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.tables import campaigns, renderings
from mailer.delivery import ledger
from mailer.errors import RenderingFailed
from mailer.queue.clock import Clock
from mailer.render.child import Child
from mailer.settings import SendingSettings
from tests import stacks
from tests.acceptance.installation import MAX_OPEN_INTENTS, Installation, installed
from tests.services import schema
from tests.services.postgres import PostgresServer
from tests.services.sink import Behaviour

SLOW = Behaviour(delay=0.02)


def arrived(here: Installation, count: int) -> None:
    """Wait until so many copies have been taken."""
    here.wait(lambda: len(here.accepted()) >= count, seconds=30)


def steady(here: Installation) -> int:
    """How many copies have been taken, once no more come."""
    before = -1
    while (now := len(here.accepted())) != before:
        before = now
        time.sleep(0.4)
    return now


@pytest.mark.timeout(120)
@stacks.over(stacks.REDIS, stacks.RABBITMQ)
def test_fault_11_the_broker_hangs_for_a_while(stack: stacks.Stack, tmp_path: Path) -> None:
    with installed(tmp_path, stack.database_url, stack.broker_url, behaviour=SLOW) as here:
        here.add_people(500)
        campaign = here.schedule()
        here.start("clock")
        here.start("worker")
        arrived(here, 50)
        with stack.hanging():
            time.sleep(2)
        here.wait_until_over(campaign)
        assert here.check(campaign)["sent"] == 500


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["redis", "amqp"])
def test_fault_11_the_broker_never_comes_back(
    postgres_url: str, free_port: int, tmp_path: Path, kind: str
) -> None:
    """Workers find their work in the database; nobody waits for wake-ups."""
    with installed(tmp_path, postgres_url, f"{kind}://127.0.0.1:{free_port}/") as here:
        here.add_people(100)
        campaign = here.schedule()
        here.start("clock")
        here.start("worker")
        here.wait_until_over(campaign)
        assert here.check(campaign)["sent"] == 100


@pytest.mark.timeout(120)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_fault_13_the_database_restarts(
    durable_postgres: PostgresServer,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    broker: str,
) -> None:
    url = durable_postgres.url(durable_postgres.create())
    schema.build(url)
    broker_url: str = request.getfixturevalue(f"{broker}_url")
    with installed(tmp_path, url, broker_url, behaviour=SLOW) as here:
        here.add_people(600)
        campaign = here.schedule()
        here.start("clock")
        here.start("worker")
        for goal in (100, 300):
            arrived(here, goal)
            here.database.dispose()
            durable_postgres.restart()
        here.wait_until_over(campaign)
        figures = here.check(campaign, kills=2)
        assert figures["sent"] + figures.get("unknown", 0) == 600
        here.database.dispose()


@pytest.mark.timeout(60)
def test_fault_13_somebody_holds_the_file_for_a_while(sqlite_url: str, tmp_path: Path) -> None:
    """A backup, a careless shell: meanwhile nothing leaves that has no leave."""
    with installed(tmp_path, sqlite_url, behaviour=SLOW) as here:
        here.add_people(400)
        campaign = here.schedule()
        here.start("clock")
        here.start("worker")
        arrived(here, 50)
        with here.database.write() as session:
            session.execute(select(campaigns.c.id))
            stopped = steady(here)
        assert stopped < 400
        here.wait_until_over(campaign)
        assert here.check(campaign)["sent"] == 400


# -- the disk is full ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SmallDisk:
    """A file system of a few megabytes."""

    folder: Path

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.folder / "ballast").open("ab", buffering=0) as ballast:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError:
                    continue

    def free(self) -> None:
        """Give the space back."""
        (self.folder / "ballast").unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    may = os.geteuid() == 0 and sys.platform == "linux"
    done = subprocess.run(mount, capture_output=True, text=True, check=False) if may else None
    if done is None or done.returncode:
        why = f"no small disk can be mounted here: {done.stderr.strip() if done else 'not root'}"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    yield SmallDisk(folder=folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.timeout(120)
def test_fault_14_and_15_the_disk_is_full(
    small_disk: SmallDisk, sqlite_url: str, tmp_path: Path
) -> None:
    """No copy leaves whose intent is not on the disk; with space again, all goes on."""
    file = small_disk.folder / "pressrun.db"
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), file)
    with installed(tmp_path, f"sqlite:///{file}", behaviour=SLOW) as here:
        here.add_people(500)
        campaign = here.schedule()
        here.start("clock")
        worker = here.start("worker")
        arrived(here, 100)
        small_disk.fill()
        stopped = steady(here)
        assert 100 <= stopped < 500
        assert worker.poll() is None, here.words()
        told = here.run("subscribers", "add", "late@example.com")
        assert told.returncode == 1, told
        assert told.stderr.count("\n") == 1, told.stderr
        assert "disk" in told.stderr
        assert "space" in told.stderr
        assert len(here.accepted()) == stopped
        small_disk.free()
        here.wait_until_over(campaign)
        figures = here.check(campaign, kills=1)
        assert figures["sent"] + figures.get("unknown", 0) == 500
        assert figures.get("unknown", 0) <= MAX_OPEN_INTENTS
        assert "Traceback" not in here.words()


@pytest.mark.timeout(120)
def test_fault_14_without_space_for_leave_to_send_nothing_leaves(
    small_disk: SmallDisk, sqlite_url: str, tmp_path: Path
) -> None:
    file = small_disk.folder / "pressrun.db"
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), file)
    with installed(tmp_path, f"sqlite:///{file}") as here:
        here.add_people(200)
        campaign = here.schedule()
        clock = here.start("clock")
        here.wait(lambda: here.state(campaign) == "sending")
        clock.send_signal(signal.SIGTERM)
        assert clock.wait(15) == 0
        small_disk.fill()
        worker = here.start("worker")
        here.wait(lambda: "space" in here.words())
        assert worker.poll() is None
        assert here.accepted() == []
        small_disk.free()
        here.start("clock")
        here.wait_until_over(campaign)
        assert here.check(campaign)["sent"] == 200


@pytest.mark.timeout(120)
def test_fault_15_without_space_for_outcomes_what_flew_is_unknown_at_worst(
    small_disk: SmallDisk, sqlite_url: str, tmp_path: Path
) -> None:
    """The worker is killed while it holds outcomes that it can't write."""
    file = small_disk.folder / "pressrun.db"
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), file)
    # What has been taken is confirmed only when the disk is full.
    with installed(tmp_path, f"sqlite:///{file}", behaviour=Behaviour(delay=1.5)) as here:
        here.add_people(60)
        campaign = here.schedule()
        here.start("clock")
        worker = here.start("worker")
        arrived(here, 1)
        small_disk.fill()
        here.wait(lambda: "to be recorded" in here.words())
        flown = len(here.accepted())
        here.kill(worker)
        small_disk.free()
        here.start("worker")
        here.wait_until_over(campaign)
        figures = here.check(campaign, kills=1)
        assert 0 < flown <= MAX_OPEN_INTENTS
        assert 0 < figures["unknown, in truth delivered"] <= figures["unknown"]
        assert figures["sent"] + figures["unknown"] == 60


@pytest.mark.timeout(60)
def test_an_import_on_a_full_disk_loses_nothing(
    small_disk: SmallDisk, sqlite_url: str, tmp_path: Path
) -> None:
    file = small_disk.folder / "pressrun.db"
    shutil.copyfile(sqlite_url.removeprefix("sqlite:///"), file)
    with installed(tmp_path, f"sqlite:///{file}") as here:
        here.add_people(10)
        rows = "".join(f"q{n}@example.com\n" for n in range(3000))
        (tmp_path / "many.csv").write_text(f"email\n{rows}")
        small_disk.fill()
        told = here.run("subscribers", "import", "many.csv")
        assert told.returncode == 1, told
        assert told.stderr.count("\n") == 1, told.stderr
        assert "space" in told.stderr
        small_disk.free()
        again = here.run("subscribers", "import", "many.csv")
        assert again.returncode == 0, again.stderr
        assert here.run("subscribers", "list").stdout.count("@") == 3010


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.timeout(60)
@stacks.on(stacks.EMBEDDED, stacks.REDIS)
def test_fault_16_a_campaign_from_an_old_backup_waits_for_a_person(
    stack: stacks.Stack, tmp_path: Path
) -> None:
    with installed(tmp_path, stack.database_url, stack.broker_url) as here:
        here.add_people(50)
        campaign = here.schedule()
        yesterday = datetime.now(UTC) - timedelta(days=1)
        with here.database.write() as session:
            session.execute(
                update(campaigns).values(
                    state="planning", snapshot_at=yesterday, alive_at=yesterday
                )
            )
        serve = here.start("serve", "--port", "0")
        here.wait(lambda: here.state(campaign) == "paused")
        told = here.run("campaign", "status", str(campaign)).stdout
        assert "copies may already have left" in told
        assert f"mailer campaign resume {campaign}" in told
        here.wait(lambda: len(here.alarms()) == 1)
        assert here.accepted() == []
        assert here.run("campaign", "resume", str(campaign)).returncode == 0
        here.wait_until_over(campaign)
        assert here.check(campaign)["sent"] == 50
        serve.send_signal(signal.SIGTERM)
        assert serve.wait(15) == 0


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)], ids=["ahead", "back"])
def test_fault_25_the_clock_jumps(database_url: str, tmp_path: Path, jump: timedelta) -> None:
    """A day ahead pauses what runs and what would be late; a day back starts nothing early."""
    with installed(tmp_path, database_url) as here:
        here.add_people(3)
        running = here.schedule(number=1)
        shown = [datetime.now(UTC)]
        clock = Clock(
            database=here.database,
            sending=SendingSettings(),
            wake=lambda _chunk: None,
            apply_feedback=lambda _now: 0,
            now=lambda: shown[0],
        )
        clock.tick()
        assert here.state(running) == "sending"
        later = here.schedule(number=2)
        with here.database.write() as session:
            session.execute(
                update(campaigns)
                .where(campaigns.c.id == later)
                .values(due_at=shown[0] + timedelta(hours=2))
            )
        shown[0] += jump
        clock.tick()
        ahead = jump > timedelta(0)
        assert here.state(later) == ("paused" if ahead else "scheduled")
        assert here.state(running) == ("paused" if ahead else "sending")
        shown[0] -= jump
        clock.tick()
        with here.database.read() as session:
            reason = campaign_queries.get(session, later).pause_reason
            started = session.execute(
                select(campaigns.c.snapshot_at).where(campaigns.c.id == later)
            ).scalar_one()
        assert ("late" in (reason or "")) == ahead
        assert started is None
        assert here.attempts() == 0


# -- the renderer, and the end -------------------------------------------------------------------


def test_fault_32_the_renderer_crashes_and_the_next_rendering_works() -> None:
    child = Child(deadline=20)
    mjml = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column>"
        "</mj-section></mj-body></mjml>"
    )
    try:
        assert "Hello" in child.transform(mjml, "", "x")
        assert child._process is not None
        # It dies with the job in its hands.
        child._process.send_signal(signal.SIGSTOP)
        threading.Timer(0.5, child._process.kill).start()
        with pytest.raises(RenderingFailed, match="crashed"):
            child.transform(mjml, "", "x")
        assert "Hello" in child.transform(mjml, "", "x")
    finally:
        child.close()


@pytest.mark.timeout(60)
def test_fault_32_content_that_can_not_be_read_pauses_its_campaign_and_no_other(
    sqlite_url: str, tmp_path: Path
) -> None:
    with installed(tmp_path, sqlite_url) as here:
        here.add_people(20)
        broken, good = here.schedule(number=1), here.schedule(number=2)
        with here.database.write() as session:
            session.execute(
                update(renderings)
                .where(renderings.c.campaign_id == broken)
                .values(content="{}", format=99)
            )
        here.start("clock")
        worker = here.start("worker")
        here.wait_until_over(good)
        here.wait(lambda: here.state(broken) == "paused")
        assert worker.poll() is None, here.words()
        assert "paused because" in here.run("campaign", "status", str(broken)).stdout
        here.wait(lambda: len(here.alarms()) == 1)
        assert len(here.accepted()) == 20


@pytest.mark.timeout(60)
def test_fault_33_sigterm_while_the_relay_is_slow_leaves_nothing_unknown(
    sqlite_url: str, tmp_path: Path
) -> None:
    with installed(tmp_path, sqlite_url, behaviour=Behaviour(delay=0.5)) as here:
        here.add_people(40)
        campaign = here.schedule()
        here.start("clock")
        worker = here.start("worker")
        arrived(here, 4)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(12) == 0, here.words()
        taken = len(here.accepted())
        with here.database.read() as session:
            states = ledger.balance(session, campaign).states
        assert set(states) <= {"sent", "queued", "deferred"}, states
        assert states["sent"] == taken
