"""`mailer backup` and `restore`: everything comes back, to either kind of database."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from mailer import migrations
from mailer.backup import queries
from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery import ledger
from mailer.delivery.model import Verdict
from mailer.delivery.plan import _fix_bound, _plan_range, count_joined, plan
from mailer.delivery.repair import queries as repair
from mailer.feedback.resolve import Ignored, resolve_all
from mailer.notice.owner import alarm
from mailer.webhooks.model import ReportedEvent
from subscribers import queries as people
from subscribers.database import Database
from subscribers.event import EventType
from subscribers.tables import newsletters
from subscribers.token import make_verp
from tests.integration.operate.conftest import Home
from tests.services import rows
from tests.services.postgres import PostgresServer

FILE = "backup.tar.gz"


@pytest.fixture(params=["sqlite", "postgres"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database on another machine, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


def move(home: Home, url: str) -> Database:
    """The same settings with another database, and no keys yet."""
    first = home.settings.read_text().split("\n")[0]
    home.configure(f'database_url = "{url}"', instead_of=first)
    (home.folder / "pressrun.keys").unlink(missing_ok=True)
    return Database(url)


def test_every_row_of_every_table_comes_back(home: Home, elsewhere: str) -> None:
    with home.world.database.write() as session:
        for table in reversed(queries.tables()):
            session.execute(table.delete())
        rows.fill(session.connection(), rows=7)
    with home.world.database.read() as session:
        before = everything(session)
    home.run("backup", FILE)
    moved = move(home, elsewhere)
    assert "next: mailer doctor" in home.run("restore", FILE).out
    assert came_back(moved, before) == before
    migrations.check(moved)
    # New rows are numbered after those that came back.
    with moved.write() as session:
        first = dict(session.execute(select(newsletters)).mappings().first() or {})
        del first["id"]
        new = insert(newsletters).values(first | {"slug": "another"}).returning(newsletters.c.id)
        assert session.execute(new).scalar_one() == 8
    moved.dispose()


def came_back(moved: Database, before: dict[str, list[str]]) -> dict[str, list[str]]:
    """Everything, but for what keeps SQLite from giving the numbers of lost copies again."""
    with moved.read() as session:
        after = everything(session)
    for table in ("campaigns", "deliveries") if moved.is_sqlite else ():
        [more] = [row for row in after[table] if row not in before[table]]
        assert "cancelled" in more
        after[table].remove(more)
    return after


def everything(session: Session) -> dict[str, list[str]]:
    return {
        table.name: sorted(str(tuple(row)) for row in session.execute(select(table)))
        for table in queries.tables()
    }


def test_the_file_is_for_its_owner_and_overwrites_nothing(home: Home) -> None:
    told = json.loads(home.run("backup", FILE, "--json").out)
    assert told["rows"]["newsletters"] == 1
    file = home.folder / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    assert "is there already" in home.run("backup", FILE, code=2).err
    assert file.read_bytes() == before
    assert sorted(p.name for p in home.folder.iterdir()) == [FILE, "pressrun.keys", "pressrun.toml"]
    assert "there is no folder" in home.run("backup", "nope/x.tar.gz", code=2).err


def test_keys_come_along_unless_told_otherwise(home_on_sqlite: Home, tmp_path: Path) -> None:
    home = home_on_sqlite
    text = (home.folder / "pressrun.keys").read_text()
    home.run("backup", FILE)
    said = home.run("backup", "bare.tar.gz", "--without-keys")
    assert "keep pressrun.keys elsewhere" in said.err
    with tarfile.open(home.folder / "bare.tar.gz") as tar:
        assert tar.getnames() == ["manifest.json", "pressrun.db"]
    move(home, f"sqlite:///{tmp_path / 'new.db'}").dispose()
    assert "put the old pressrun.keys there" in home.run("restore", "bare.tar.gz", code=2).err
    home.run("restore", FILE)
    keys = home.folder / "pressrun.keys"
    assert keys.read_text() == text
    assert keys.stat().st_mode & 0o777 == 0o600


def test_other_keys_are_not_overwritten(home_on_sqlite: Home, tmp_path: Path) -> None:
    home = home_on_sqlite
    home.run("backup", FILE)
    move(home, f"sqlite:///{tmp_path / 'new.db'}").dispose()
    other = home.world.keyring.generate().to_text()
    (home.folder / "pressrun.keys").write_text(other)
    assert "not the keys of the backup" in home.run("restore", FILE, code=2).err
    assert (home.folder / "pressrun.keys").read_text() == other
    assert not (tmp_path / "new.db").exists()


def test_where_people_are_already_nothing_is_restored(home: Home) -> None:
    home.world.add_people("ann@example.com")
    home.run("backup", FILE)
    before = counts(home.world.database)
    assert "already" in home.run("restore", FILE, code=2).err
    assert counts(home.world.database) == before


def counts(database: Database) -> dict[str, int]:
    with database.read() as session:
        return queries.counts(session)


def test_a_backup_of_an_older_version_is_upgraded(home_on_sqlite: Home, tmp_path: Path) -> None:
    home = home_on_sqlite
    old = Database(f"sqlite:///{tmp_path / 'old.db'}")
    migrations.upgrade(old, to="0003")
    with old.write() as session:
        rows.fill(session.connection())
    old.dispose()
    home.run("backup", FILE)
    repack(home.folder / FILE, tmp_path / "old.db")
    moved = move(home, f"sqlite:///{tmp_path / 'new.db'}")
    home.run("restore", FILE)
    assert counts(moved)["subscribers"] == 3
    moved.dispose()


def repack(file: Path, database: Path) -> None:
    """Put another database into a backup, with a manifest that says so."""
    import hashlib

    folder = file.parent / "unpacked"
    with tarfile.open(file) as tar:
        tar.extractall(folder, filter="data")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = hashlib.sha256(database.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shutil.copyfile(database, folder / "pressrun.db")
    with tarfile.open(file, "w:gz") as tar:
        for name in ("manifest.json", "pressrun.keys", "pressrun.db"):
            tar.add(folder / name, name)


@pytest.mark.parametrize("harm", ["cut", "flipped", "no tar", "absent", "newer", "no database"])
def test_a_damaged_backup_is_one_line_and_changes_nothing(
    home_on_sqlite: Home, tmp_path: Path, harm: str
) -> None:
    home = home_on_sqlite
    home.run("backup", FILE)
    file = home.folder / FILE
    content = file.read_bytes()
    if harm == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif harm == "no tar":
        file.write_bytes(b"hello" * 1000)
    elif harm == "absent":
        file.unlink()
    else:
        rewrite(file, harm)
    moved = move(home, f"sqlite:///{tmp_path / 'new.db'}")
    said = home.run("restore", FILE, code=2)
    assert said.err.count("\n") == 1, said.err
    assert not (home.folder / "pressrun.keys").exists()
    if (tmp_path / "new.db").exists():
        assert not any(counts(moved).values())
    moved.dispose()


def rewrite(file: Path, harm: str) -> None:
    folder = file.parent / "unpacked"
    with tarfile.open(file) as tar:
        tar.extractall(folder, filter="data")
    if harm == "flipped":
        with (folder / "pressrun.db").open("r+b") as database:
            database.seek(5000)
            database.write(b"\xff" * 10)
    if harm == "newer":
        told = json.loads((folder / "manifest.json").read_text()) | {"format": 99}
        (folder / "manifest.json").write_text(json.dumps(told))
    names = ["manifest.json", "pressrun.keys", "pressrun.db"]
    with tarfile.open(file, "w:gz") as tar:
        for name in names[: 2 if harm == "no database" else 3]:
            tar.add(folder / name, name)


def test_a_dry_run_says_what_is_in_it(home_on_sqlite: Home) -> None:
    home = home_on_sqlite
    home.run("backup", FILE)
    told = json.loads(home.run("restore", FILE, "--dry-run", "--json").out)
    assert told["schema"] == migrations.STEPS[-1]
    assert told["with_keys"] is True
    assert told["rows"]["newsletters"] == 1
    lines = home.run("restore", FILE, "--dry-run").out.splitlines()
    assert "newsletters rows\t1" in lines
    assert lines[-1] == "a dry run: nothing was changed"


# -- what was under way ----------------------------------------------------------------------


def test_what_was_not_over_waits_and_what_waited_is_in_doubt(home: Home, elsewhere: str) -> None:
    world = home.world
    world.add_people(*(f"p{n}@example.com" for n in range(6)))
    sending = world.add_campaign(words="sending")
    world.plan(sending)
    claim = world.claim()
    assert claim is not None
    ids = world.ids(sending)
    world.pass_gate(claim, ids[:3])
    with world.database.write() as session:
        done = [
            ledger.Decision(outcome=world.outcome(ids[0], Verdict.SENT)),
            ledger.Decision(
                outcome=world.outcome(ids[1], Verdict.DEFERRED, code=451),
                due_at=world.now + timedelta(minutes=5),
            ),
        ]
        ledger.record_outcomes(session, done, now=world.now)
        newsletter = people.newsletter(session, world.newsletter_id)
        alarm(session, newsletter, what="x", keyring=world.keyring, now=world.now)
    scheduled = world.add_campaign(words="scheduled")
    paused = world.add_campaign(words="paused")
    with world.database.write() as session:
        campaign_queries.pause(session, paused, reason="by hand", now=world.now)
    assert world.states(sending) == ["sent", "deferred", "sending", *["queued"] * 3]

    home.run("backup", FILE)
    moved = move(home, elsewhere)
    told = json.loads(home.run("restore", FILE, "--json").out)
    assert told["paused"] == [sending, scheduled, paused]

    with moved.read() as session:
        reasons = dict(session.execute(select(campaigns.c.id, campaigns.c.pause_reason)).all())
        assert "copies may already have left" in reasons[sending]
        assert reasons[paused].endswith("it was paused before: by hand")
        balance = ledger.balance(session, sending)
        assert balance.states == {"sent": 1, "unknown": 5}
        assert balance.balances
        unknown = [*repair.unknown_copies(session, sending)]
        assert [copy.attempt for copy in unknown] == [2, 1, 1, 1, 1]
        # The owner's notice may have left, too; nobody resumes notices, so it goes to its end.
        notice = campaign_queries.in_states(session, [CampaignState.SENDING])
        assert [ledger.balance(session, one.id).states for one in notice] == [{"unknown": 1}]
    # A person resumes it: nothing that waited then leaves by itself.
    home.run("campaign", "resume", str(sending))
    home.run("campaign", "audit", str(sending))
    with moved.read() as session:
        assert ledger.balance(session, sending).states == {"sent": 1, "unknown": 5}
    moved.dispose()


def test_no_number_of_a_lost_copy_is_given_to_somebody_else(home: Home, elsewhere: str) -> None:
    """Links and Return-Paths name a copy by its number: they must not name a stranger's."""
    world = home.world
    world.add_people("a@example.com")
    world.plan(world.add_campaign(words="known"))
    home.run("backup", FILE)
    world.add_people("lost@example.com")
    lost = world.add_campaign(words="lost")
    world.plan(lost)
    tokens = [make_verp(world.keyring, number) for number in world.ids(lost)]
    moved = move(home, elsewhere)
    home.run("restore", FILE)
    again = replace(world, database=moved)
    again.add_people("stranger@example.com")
    new = again.add_campaign(words="new")
    again.plan(new)
    assert len(again.ids(new)) == 2
    claim = again.claim()
    assert claim is not None
    assert len(again.pass_gate(claim, again.ids(new)).intents) == 2
    with moved.read() as session:
        told = [
            ReportedEvent(id=token, type=EventType.COMPLAINED, at=world.now, token=token)
            for token in tokens
        ]
        found = resolve_all(session, told, keyring=world.keyring, now=world.now)
    assert len(found) == 2
    assert all(isinstance(one, Ignored) for one in found)
    moved.dispose()


def test_an_audience_cut_off_by_the_backup_is_closed(home: Home, elsewhere: str) -> None:
    """Who is not in it may have a copy of which nothing is known: nobody gets one by itself."""
    world = home.world
    world.add_people(*(f"p{n}@example.com" for n in range(6)))
    campaign = world.add_campaign()
    with world.database.write() as session:
        campaign_queries.start_due(session, now=world.now, late_after=timedelta(hours=1))
    with world.database.write() as session:
        _fix_bound(session, campaign)
    _plan_range(world.database, campaign, now=world.now, chunk_size=5, size=4)
    home.run("backup", FILE)
    plan(world.database, campaign, now=world.now, chunk_size=5)
    assert len(world.ids(campaign)) == 6
    moved = move(home, elsewhere)
    home.run("restore", FILE)
    with moved.read() as session:
        reason = campaign_queries.get(session, campaign).pause_reason
    assert "resend --to joined-since" in (reason or "")
    home.run("campaign", "resume", str(campaign))
    again = replace(world, database=moved)
    plan(moved, campaign, now=world.now, chunk_size=5)
    assert again.states(campaign) == ["unknown"] * 4
    assert count_of_joined(moved, campaign, world.now) == 2
    moved.dispose()


def count_of_joined(database: Database, campaign: int, now: datetime) -> int:
    with database.read() as session:
        return count_joined(session, campaign, now=now)


def test_a_backup_sees_one_moment_while_others_write(home: Home) -> None:
    """Writers go on; what stands in the file is whole."""
    import threading

    world = home.world
    campaign = world.add_campaign()
    stop = threading.Event()

    def write_pairs() -> None:
        while not stop.is_set():
            with world.database.write() as session:
                # Two rows that always say the same.
                for column in (campaigns.c.served_at, campaigns.c.alive_at):
                    session.execute(
                        update(campaigns)
                        .where(campaigns.c.id == campaign)
                        .values({column: world.now})
                    )
                world.now += timedelta(seconds=1)

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        for number in range(3):
            home.run("backup", f"{number}.tar.gz")
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        folder = home.folder / f"u{number}"
        with tarfile.open(home.folder / f"{number}.tar.gz") as tar:
            tar.extractall(folder, filter="data")
        with closing(sqlite3.connect(folder / "pressrun.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            same = "SELECT served_at IS NULL OR served_at = alive_at FROM campaigns"
            assert file.execute(same).fetchone() == (1,)
