"""Domains find their lanes by MX, aside from the snapshot; `mailer lanes` shows and sets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.cli.app import main
from mailer.delivery import grants
from mailer.delivery.domains import queries as domain_queries
from mailer.delivery.domains.find import BELIEVED, LaneFinder
from mailer.delivery.domains.mx import SystemResolver
from mailer.delivery.domains.queries import Source
from mailer.delivery.tables import deliveries, domains, pacing
from mailer.errors import DnsUnavailable
from tests.integration.delivery.conftest import World
from tests.services.dns import NameServer

RECORDS = {
    "corp.net": ["10 aspmx.l.google.com.", "20 mx.corp.net."],
    "firm.net": ["10 firm-net.mail.protection.outlook.com."],
    "own.net": ["10 mail.own.net."],
    "none.net": [],
}


def finder(world: World, server: NameServer) -> LaneFinder:
    return LaneFinder(database=world.database, resolver=SystemResolver(server.address))


def walk_all(found: LaneFinder) -> int:
    total = 0
    while (some := found.walk()) is not None:
        total += some
    return total


def lanes_of(world: World) -> dict[str, str]:
    with world.database.read() as session:
        return {row.domain: row.lane for row in session.execute(select(domains)) if row is not None}


def test_each_domain_is_asked_for_once_and_its_people_get_their_lane(world: World) -> None:
    names = ("corp.net", "firm.net", "own.net", "none.net", "gone.net", "gmail.com", "example.com")
    world.add_people(*(f"p{n}@{name}" for name in names for n in range(3)))
    with NameServer(RECORDS) as server:
        found = finder(world, server)
        assert walk_all(found) == 5
        assert walk_all(found) == 0
    # What ships, and what is for documentation, is nobody's business.
    assert sorted(server.asked) == ["corp.net", "firm.net", "gone.net", "none.net", "own.net"]
    assert lanes_of(world) == {
        "corp.net": "gmail",
        "firm.net": "outlook",
        "own.net": "other",
        "none.net": "other",
        "gone.net": "other",
    }
    campaign = world.add_campaign()
    world.plan(campaign)
    with world.database.read() as session:
        rows = session.execute(select(deliveries.c.lane).order_by(deliveries.c.subscriber_id))
        lanes = [*rows.scalars()][::3]
    assert lanes == ["gmail", "outlook", "other", "other", "other", "gmail", "other"]


def test_what_a_person_said_is_never_looked_up_and_what_is_old_is(world: World) -> None:
    world.add_people("a@corp.net", "b@firm.net")
    now = datetime.now(UTC)
    with world.database.write() as session:
        domain_queries.keep(session, [("corp.net", "vip")], source=Source.MANUAL, now=now)
        domain_queries.keep(session, [("corp.net", "gmail")], source=Source.MX, now=now)
        domain_queries.keep(session, [("firm.net", "other")], source=Source.MX, now=now)
    with NameServer(RECORDS) as server:
        assert walk_all(finder(world, server)) == 0
        with world.database.write() as session:
            session.execute(update(domains).values(looked_up_at=now - BELIEVED * 2))
        assert walk_all(finder(world, server)) == 1
    assert server.asked == ["firm.net"]
    assert lanes_of(world) == {"corp.net": "vip", "firm.net": "outlook"}


def test_without_dns_domains_stay_in_other_and_nothing_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.lookup.LIFETIME", 0.2)
    world.add_people("a@corp.net", "b@firm.net")
    with NameServer(RECORDS) as server:
        address = server.address
    silent = LaneFinder(database=world.database, resolver=SystemResolver(address))
    with pytest.raises(DnsUnavailable):
        silent.walk()
    assert lanes_of(world) == {}
    campaign = world.add_campaign()
    world.plan(campaign)
    with world.database.read() as session:
        assert {*session.execute(select(deliveries.c.lane)).scalars()} == {"other"}


Run = Callable[..., str]


@pytest.fixture
def mailer(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `mailer …`; gives what it said on standard output, and with `code` on error."""
    (tmp_path / "pressrun.keys").write_text(world.keyring.to_text(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", world.database.url)

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["mailer", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert int(ended.value.code or 0) == code, said
        return said.err if code else said.out

    return run


def test_limits_are_set_shown_and_taken_away(world: World, mailer: Run) -> None:
    assert mailer("lanes") == "no lane has a limit, and none is in trouble\n"
    mailer("lanes", "set", "default", "gmail", "--per-second", "5", "--per-day", "1000")
    # What is not named stays.
    assert mailer("lanes", "set", "default", "gmail", "--connections", "3") == (
        "default gmail: 5/s, 1000/day, 3 connections\n"
    )
    mailer("lanes", "set", "default", "all", "--warmup-first", "500")
    with world.database.write() as session:
        now = datetime.now(UTC)
        grants.take(session, "default", "gmail", worker="a", wanted=2, now=now)
        grants.slow(session, "default", "yahoo", measured=8, now=now)
    shown = {line["lane"]: line for line in json.loads(mailer("lanes", "list", "--json"))["lanes"]}
    assert shown["all"]["today"] == 500
    assert shown["gmail"]["spent_today"] == 2
    assert shown["gmail"]["limits"]["per_second"] == 5
    assert shown["gmail"]["in_trouble_since"] is None
    assert shown["yahoo"]["speed"] == pytest.approx(4, rel=0.05)
    assert shown["yahoo"]["in_trouble_since"]
    assert "gmail\t5/s, 1000/day, 3 connections\t4.70/s\t2 of 1000\t-" in mailer("lanes")
    mailer("lanes", "reset", "default", "gmail")
    with world.database.read() as session:
        assert {*session.execute(select(pacing.c.lane)).scalars()} == {"", "yahoo"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "nowhere", "gmail", "--per-second", "5"), "there are: default"),
        (("set", "default", "gmial", "--per-second", "5"), "there is no lane 'gmial'"),
        (("set", "default", "gmail"), "say a limit"),
        (("set", "default", "gmail", "--per-second", "0"), "--per-second"),
        (("assign", "not a domain", "vip"), "not a domain"),
        (("assign", "corp.net", "no lane!"), "no name for a lane"),
    ],
)
def test_mistakes_are_told(mailer: Run, arguments: tuple[str, ...], words: str) -> None:
    assert words in mailer("lanes", *arguments, code=2)


def test_a_lane_of_ones_own(world: World, mailer: Run) -> None:
    mailer("lanes", "assign", "Corp.net", "vip")
    mailer("lanes", "set", "default", "vip", "--per-hour", "100")
    assert lanes_of(world) == {"corp.net": "vip"}


def test_looking_up_by_hand(world: World, mailer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_people("a@corp.net", "b@firm.net")
    with NameServer(RECORDS) as server:
        monkeypatch.setattr(
            "mailer.cli.lanes.SystemResolver", lambda: SystemResolver(server.address)
        )
        done = json.loads(mailer("lanes", "resolve", "--limit", "10", "--json"))
    assert done == {"looked_up": 2, "domains": {"gmail": 1, "outlook": 1}}


def test_repairs_at_the_command_line_ask_first(world: World, mailer: Run) -> None:
    # What is put back must be older than any reply can be late.
    world.now = datetime.now(UTC) - timedelta(minutes=30)
    world.add_people("a@corp.net")
    campaign = world.add_campaign()
    world.plan(campaign)
    claim = world.claim()
    assert claim
    world.pass_gate(claim, world.ids(campaign))
    # Its worker is gone.
    world.now += timedelta(minutes=2)
    assert world.claim()
    number = str(campaign)
    assert "1 may or may not have left" in mailer("campaign", "settle", number)
    assert (
        "nobody is here to answer"
        in mailer("campaign", "resend", number, "--to", "unknown", code=2).lower()
    )
    tried = mailer("campaign", "resend", number, "--to", "unknown", "--dry-run", "--json")
    assert json.loads(tried) == {"campaign": campaign, "what": "unknown", "found": 1, "done": 0}
    assert world.states(campaign) == ["unknown"]
    mailer("campaign", "resend", number, "--to", "unknown", "--yes")
    assert world.states(campaign) == ["queued"]
    assert "1 times a copy was put back by hand" in mailer("campaign", "audit", number)
