"""`mailer campaign schedule` and `replace` as somebody types them, and what they say first."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign
from mailer.cli.app import main
from subscribers import queries as people
from subscribers.address import parse
from subscribers.database import Database
from subscribers.tables import subscribers
from tests.integration.delivery.conftest import World

ISSUE = """---
subject: {subject}
number: {number}
preheader: Links
lang: en
---
# One

{words}
"""


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A newsletter in Berlin, with people around the world."""
    database = Database(database_url)
    made = World(database=database)
    made.add_newsletter()
    with database.write() as session:
        row = people.newsletter(session, made.newsletter_id)
        people.set_newsletter(session, replace(row, timezone="Europe/Berlin"))
    for zone, count in (("Asia/Tokyo", 3), ("America/New_York", 2), (None, 1), ("Mars/Base", 1)):
        ids = made.add_people(*(f"{n}-{str(zone)[:2]}@example.com".lower() for n in range(count)))
        with database.write() as session:
            session.execute(
                update(subscribers).where(subscribers.c.id.in_(ids)).values(timezone=zone)
            )
    yield made
    database.dispose()


@pytest.fixture
def mailer(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `mailer campaign …` in a folder with an issue; each kind of database in turn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", world.database.url)
    monkeypatch.setenv("PRESSRUN_PUBLIC_URL", "https://news.example.com")
    write(tmp_path)

    def run(*arguments: str, group: str = "campaign", code: int = 0) -> Done:
        monkeypatch.setattr(sys, "argv", ["mailer", group, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        done = Done(code=int(ended.value.code or 0), out=said.out, err=said.err)
        assert done.code == code, done
        return done

    return run


def write(folder: Path, *, subject: str = "Thirty", number: int = 30, words: str = "Hello") -> None:
    text = ISSUE.format(subject=subject, number=number, words=words)
    (folder / "issue.md").write_text(text)


def newest(world: World) -> Campaign:
    with world.database.read() as session:
        return campaign_queries.newest_first(session, limit=1)[0]


SCHEDULE = ("schedule", "issue.md", "--yes")


# --- natural times


def test_the_time_is_told_where_it_was_said_at_home_and_in_utc(mailer: Run, world: World) -> None:
    said = mailer(*SCHEDULE, "--at", "1 Dec 2099 9:00 Asia/Tokyo")
    assert (
        "when  Tue 2099-12-01 09:00 Asia/Tokyo = Tue 2099-12-01 01:00 Europe/Berlin"
        " = Tue 2099-12-01 00:00 UTC" in said.out
    )
    campaign = newest(world)
    assert (campaign.due_at, campaign.timezone) == (datetime(2099, 12, 1, tzinfo=UTC), "Asia/Tokyo")
    assert "starts Tue 2099-12-01 09:00 Asia/Tokyo" in mailer("status", str(campaign.id)).out


def test_tomorrow_is_the_newsletters(mailer: Run, world: World) -> None:
    before = datetime.now(ZoneInfo("Europe/Berlin")).date()
    told = json.loads(mailer(*SCHEDULE, "--at", "tomorrow 9:00", "--json").out)
    there = datetime.fromisoformat(told["due_at"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert f"{there:%H:%M}" == "09:00"
    assert there.date() - before in (timedelta(days=1), timedelta(days=2))
    assert newest(world).due_at == there


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--at", "tomorow 9:00"), "'tomorow' (character 1)"),
        (("--at", "tomorrow"), "says no time of day"),
        (("--at", "2020-01-01 9:00"), "is past; add --now"),
        (("--at", "28 Mar 2027 2:30"), "does not exist in Europe/Berlin"),
        (("--at", "31 Oct 2027 2:30"), "say --earlier or --later"),
        (("--at", "1 Dec 2099 9:00 Asia/Tokyo", "--timezone", "UTC"), "names Asia/Tokyo and"),
        (("--at", "tomorrow 9:00", "--now"), "say when once"),
        (("--now", "--also", "weekly"), "the readers of weekly are named twice"),
        (("--now", "--also", "dayly"), "there is no newsletter 'dayly'"),
        (("--at", "tomorrow 9:00", "--local", "9:00"), "say when once"),
        (("--local", "9:00", "--now"), "say when once"),
        (("--local", "9:00 Asia/Tokyo"), "each person's own zone"),
        (("--local", "in 2 hours"), "each person's own zone"),
        (("--local", "tomorrow"), "write a time of day"),
        (("--local", "9:00:30"), "write hours and minutes"),
        (("--local", "2020-01-01 9:00"), "is past everywhere"),
        (("--local", "9999-12-31 23:59"), "out of range"),
        (("--local", "9:00", "--canary", "1"), "leave out --canary or --local"),
        ((), 'say when: --at "2026-12-01 09:00", --local 09:00 or --now; or set a weekly slot'),
    ],
)
def test_what_is_no_time_schedules_nothing(
    mailer: Run, world: World, options: tuple[str, ...], words: str
) -> None:
    done = mailer(*SCHEDULE, *options, code=2)
    assert words in done.err
    assert done.err.count("\n") == 1
    with world.database.read() as session:
        assert campaign_queries.newest_first(session) == []


# --- by each person's own clock


def test_local_time_is_shown_by_zone_before_it_is_asked(mailer: Run, world: World) -> None:
    said = mailer(*SCHEDULE, "--local", "2099-12-01 09:00").out
    for line in (
        "when  Tue 2099-12-01 09:00 by each person's own clock",
        "first  Tue 2099-12-01 00:00 UTC, Asia/Tokyo",
        "last  Tue 2099-12-01 14:00 UTC, America/New_York",
        "3 in Asia/Tokyo: Tue 2099-12-01 00:00 UTC",
        "2 in Europe/Berlin, whose zone is not known: Tue 2099-12-01 08:00 UTC",
        "2 in America/New_York: Tue 2099-12-01 14:00 UTC",
    ):
        assert line in said
    campaign = newest(world)
    assert campaign.local_at == "2099-12-01 09:00"
    assert (campaign.due_at, campaign.timezone) == (
        datetime(2099, 12, 1, tzinfo=UTC),
        "Europe/Berlin",
    )
    assert "own clock shows 2099-12-01 09:00" in mailer("status", str(campaign.id)).out


def test_a_time_alone_takes_the_first_day_that_is_to_come_for_all(
    mailer: Run, world: World
) -> None:
    told = json.loads(mailer(*SCHEDULE, "--local", "09:00", "--json").out)
    moments = [datetime.fromisoformat(zone["opens_at"]) for zone in told["zones"]]
    assert moments == sorted(moments)
    assert min(moments) == datetime.fromisoformat(told["due_at"])
    assert max(moments) == datetime.fromisoformat(told["last_at"])
    assert min(moments) > datetime.now(UTC) - timedelta(minutes=1)
    assert min(moments) < datetime.now(UTC) + timedelta(days=2)
    assert sum(zone["people"] for zone in told["zones"]) == told["audience"] == 7


def test_a_segment_narrows_the_zones(mailer: Run, world: World) -> None:
    with world.database.write() as session:
        gone = subscribers.c.timezone == "Asia/Tokyo"
        session.execute(update(subscribers).where(gone).values(name="Toru"))
    told = json.loads(
        mailer(*SCHEDULE, "--local", "2099-12-01 09:00", "--segment", 'name = "Toru"', "--json").out
    )
    assert [(zone["timezone"], zone["people"]) for zone in told["zones"]] == [("Asia/Tokyo", 3)]


# --- the weekly slot


def test_the_next_slot_is_taken_and_said(mailer: Run, world: World, tmp_path: Path) -> None:
    mailer("set", "weekly", "--slot", "8:30 monday", group="newsletter")
    said = mailer(*SCHEDULE).out
    assert "the next slot of weekly (Mon 08:30)" in said
    first = newest(world)
    there = first.due_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert f"{there:%a %H:%M}" == "Mon 08:30"
    assert timedelta() < first.due_at - datetime.now(UTC) <= timedelta(days=7, hours=1)
    # The one after is the next that is free.
    write(tmp_path, number=31, words="More")
    told = json.loads(mailer(*SCHEDULE, "--json").out)
    assert told["note"].endswith(f"campaign {first.id} has the one before")
    second = newest(world).due_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert second.replace(tzinfo=None) - there.replace(tzinfo=None) == timedelta(days=7)


def test_a_slot_is_read_strictly_and_can_be_taken_away(mailer: Run) -> None:
    done = mailer("set", "weekly", "--slot", "Mon", group="newsletter", code=2)
    assert "--slot: 'Mon' is no weekly slot; write the weekly slot as" in done.err
    mailer("set", "weekly", "--slot", "Mon 08:30 Asia/Tokyo", group="newsletter")
    assert "Mon 08:30 Asia/Tokyo" in mailer("show", "weekly", group="newsletter").out
    mailer("set", "weekly", "--slot", "", group="newsletter")
    assert "say when:" in mailer(*SCHEDULE, code=2).err


# --- other content


def test_replace_shows_what_changes_and_does_it_once_told(
    mailer: Run, world: World, tmp_path: Path
) -> None:
    mailer(*SCHEDULE, "--at", "2099-12-01 09:00")
    campaign = newest(world)
    one = str(campaign.id)
    write(tmp_path, subject="Thirty, mended", words="Hello [you](https://new.example/)")
    dry = mailer("replace", one, "issue.md", "--dry-run").out
    for line in ("subject  Thirty", "now  Thirty, mended", "-Hello", "https://new.example/"):
        assert line in dry
    assert "a dry run" in dry
    assert newest(world) == campaign
    asked = mailer("replace", one, "issue.md", code=2)
    assert "add --yes" in asked.err
    assert newest(world) == campaign
    done = json.loads(mailer("replace", one, "issue.md", "--yes", "--json").out)
    assert done["replaced"] is True
    assert done["subject"] == ["Thirty", "Thirty, mended"]
    assert newest(world).subject == "Thirty, mended"
    assert "nothing changes" in mailer("replace", one, "issue.md", "--yes").out


def test_replace_refuses_with_the_remedy(mailer: Run, world: World, tmp_path: Path) -> None:
    mailer(*SCHEDULE, "--at", "2099-12-01 09:00")
    one = str(newest(world).id)
    write(tmp_path, number=31)
    assert "is issue 30, and the file is issue 31" in mailer("replace", one, "issue.md", code=2).err
    assert "there is no campaign 99" in mailer("replace", "99", "issue.md", code=2).err
    with world.database.write() as session:
        now = datetime(2099, 12, 1, 12, tzinfo=UTC)
        campaign_queries.start_due(session, now=now, late_after=timedelta(days=1))
    write(tmp_path, words="Better")
    done = mailer("replace", one, "issue.md", "--yes", code=2)
    assert f"`mailer campaign correct {one} FILE`" in done.err


def test_what_is_over_is_not_cancelled_and_nobody_is_asked(world: World, mailer: Run) -> None:
    mailer("schedule", "issue.md", "--at", "tomorrow 9:00", "--yes")
    campaign = newest(world)
    # Nobody is here to be asked.
    assert "add --yes" in mailer("cancel", str(campaign.id), code=2).err
    mailer("cancel", str(campaign.id), "--yes")
    again = mailer("cancel", str(campaign.id), code=2)
    assert again.err == "mailer: the campaign is cancelled: there is nothing to cancel\n"


# --- several newsletters


def with_daily(world: World) -> None:
    """Daily: read by one of Weekly's readers, and by one who left Weekly and a stranger to it."""
    with world.database.write() as session:
        weekly = people.newsletter(session, world.newsletter_id)
        daily = people.add_newsletter(
            session, replace(weekly, slug="daily", name="Daily"), now=world.now
        )
        left = people.find(session, parse("1-as@example.com")).id
        people.unsubscribe(session, left, weekly, now=world.now)
        for text in ("0-as@example.com", "1-as@example.com", "new@example.com"):
            people.add(session, parse(text), daily, keyring=world.keyring, now=world.now)


def test_the_readers_of_another_newsletter_too_are_counted_once(mailer: Run, world: World) -> None:
    with_daily(world)
    said = mailer(*SCHEDULE, "--now", "--to", "weekly", "--also", "daily").out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    at = lines.index("to 8 people")
    assert lines[at + 1 : at + 4] == [
        "6 by Weekly (weekly)",
        "2 by Daily (daily)",
        "left out nobody",
    ]
    assert newest(world).also
    world.now = datetime.now(UTC)
    world.plan(newest(world).id)
    assert len(world.ids(newest(world).id)) == 8
    shown = mailer("status", str(newest(world).id)).out
    assert "goes to the readers of daily too" in shown


def test_a_segment_and_local_time_narrow_the_readers_of_several(mailer: Run, world: World) -> None:
    with_daily(world)
    options = ("--to", "weekly", "--also", "daily", "--exclude", "newsletter:weekly", "--json")
    told = json.loads(mailer(*SCHEDULE, "--local", "2099-12-01 09:00", *options).out)
    assert (told["audience"], told["shares"]) == (2, {"weekly": 0, "daily": 2})
    assert {one["timezone"]: one["people"] for one in told["zones"]} == {
        "Asia/Tokyo": 1,
        "Europe/Berlin": 1,
    }
