"""`mailer campaign report`, `mailer report growth`, `mailer report compare`, as they are typed."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from mailer.cli import campaign_books, campaign_report, output, plots, report
from subscribers import queries as people
from subscribers.model import Tracking
from tests.integration.feedback.world import World
from tests.integration.operate.conftest import Home
from tests.integration.report.conftest import Books

HOSTILE = "<script>window.hit = 1</script> \u202e\u0645\u0631\u062d\u0628\u0627 \x1b[31m"


@dataclass(frozen=True, kw_only=True)
class Office:
    """An installation, and the books of its newsletter."""

    home: Home
    books: Books


def office_of(home: Home, chance: random.Random) -> Office:
    world = World(database=home.world.database, now=datetime.now(UTC))
    with world.database.read() as session:
        world.newsletters["weekly"] = people.newsletter_by_slug(session, "weekly")
    return Office(home=home, books=Books(world=world, chance=chance))


@pytest.fixture
def office(home: Home, chance: random.Random) -> Office:
    """Installed on each kind of database in turn."""
    return office_of(home, chance)


@pytest.fixture
def office_on_sqlite(home_on_sqlite: Home, chance: random.Random) -> Office:
    """Where the database makes no difference."""
    return office_of(home_on_sqlite, chance)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    """Standard output as a terminal of a hundred columns, which keeps what it shows."""
    console = Console(
        force_terminal=True, width=100, record=True, highlight=False, soft_wrap=True, _environ={}
    )
    for module in (output, plots, campaign_report, campaign_books, report):
        if hasattr(module, "out"):
            monkeypatch.setattr(module, "out", console)
    return console


def test_a_campaign_in_json(office: Office) -> None:
    campaign = office.books.add_issue(50)
    told = json.loads(office.home.run("campaign", "report", str(campaign), "--json").out)
    sent = len(office.books.copies_of(campaign, state="sent"))
    assert told["balance"]["states"]["sent"] == sent
    assert sum(told["course"]["counts"]) == sent
    assert sum(sum(lane["states"].values()) for lane in told["lanes"]) == 50
    assert told["not_kept"] == []


def test_growth_in_json_and_in_a_pipe(office: Office) -> None:
    office.books.add_people(60)
    campaign = office.books.add_issue(30)
    said = office.home.run("report", "growth", "--by", "month", "--last", "13", "--json").out
    told = json.loads(said)
    active = sum(row["status"] == "active" for row in office.books.places)
    assert told["members"] == active
    assert told["before"] + sum(period["net"] for period in told["periods"]) == active
    assert [one["campaign"] for one in told["issues"]] == [campaign]
    lines = office.home.run("report", "growth", "--last", "3").out.splitlines()
    assert len(lines) == 3 + 1
    assert lines[2].split("\t")[-1] == str(active)
    hard, soft = office.books.bounced(campaign)
    assert lines[3].split("\t")[3:5] == [str(hard), str(soft)]


def test_growth_begins_with_the_first_people(office: Office) -> None:
    assert len(office.home.run("report", "growth").out.splitlines()) == 1
    office.home.run("subscribers", "add", "ann@example.com")
    [week] = office.home.run("report", "growth").out.splitlines()
    assert week.split("\t")[1:] == ["1", "0", "0", "0", "1", "1"]
    # Who says how many gets as many.
    assert len(office.home.run("report", "growth", "--last", "4").out.splitlines()) == 4


def test_issues_side_by_side_in_json_and_in_a_pipe(office: Office) -> None:
    ids = [office.books.add_issue(20, ago=timedelta(days=days)) for days in (9, 2)]
    told = json.loads(office.home.run("report", "compare", "--last", "2", "--json").out)
    assert [one["campaign"]["id"] for one in told["issues"]] == ids
    hard, soft = office.books.bounced(ids[0])
    assert told["issues"][0]["reaction"]["hard"] == hard
    lines = office.home.run("report", "compare", str(ids[1]), str(ids[0])).out.splitlines()
    assert [line.split("\t")[2] for line in lines] == ["20", "20"]
    assert lines[1].split("\t")[4:6] == [str(hard), str(soft)]
    assert lines[1].split("\t")[-1] == "900.0"


def test_pages_say_what_the_figures_say(office: Office) -> None:
    office.books.add_people(30)
    campaign = office.books.add_issue(30, tracking=Tracking.ANONYMOUS)
    sent = len(office.books.copies_of(campaign, state="sent"))
    said = office.home.run("campaign", "report", str(campaign), "--html", "c.html")
    assert said.out == ""
    assert said.err == "c.html: written; open it in a browser\n"
    assert f"{sent} sent" in Path("c.html").read_text("utf-8")
    office.home.run("report", "growth", "--html", "g.html")
    active = sum(row["status"] == "active" for row in office.books.places)
    assert f"<dd>{active}</dd><" in Path("g.html").read_text("utf-8").replace("\n", "").replace(
        "<dt>members now</dt>", ""
    )
    told = office.home.run("report", "compare", str(campaign), "--html", "p.html", "--json")
    assert json.loads(told.out)["issues"][0]["campaign"]["id"] == campaign
    assert "Where the copies went" in Path("p.html").read_text("utf-8")


def test_plots_on_a_terminal(office_on_sqlite: Office, terminal: Console) -> None:
    office = office_on_sqlite
    office.books.add_people(80)
    campaign = office.books.add_issue(120, subject=HOSTILE, tracking=Tracking.ANONYMOUS)
    sent = len(office.books.copies_of(campaign, state="sent"))
    office.home.run("campaign", "report", str(campaign))
    shown = terminal.export_text()
    assert "sent over time" in shown
    assert "█" in shown
    assert "people and machines" in shown
    assert re.search(rf"(?m)^sent +{sent}\b", shown)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    office.home.run("report", "growth", "--last", "8")
    shown = terminal.export_text()
    assert "■ web" in shown
    assert all(len(line) <= 100 for line in shown.splitlines() if "█" in line)
    office.home.run("report", "compare", "--last", "3")
    assert "where the copies went" in terminal.export_text()


def test_a_terminal_that_knows_ascii_alone(
    office_on_sqlite: Office, terminal: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(terminal), "encoding", property(lambda _: "ascii"))
    office_on_sqlite.books.add_people(30)
    office_on_sqlite.home.run("report", "growth", "--last", "8")
    shown = terminal.export_text()
    assert "#" in shown
    assert not set(shown) & set("█▏▎▍▌▋▊▉▁▂▃▄▅▆▇│└─■")


def test_nothing_to_report(office_on_sqlite: Office, terminal: Console) -> None:
    home = office_on_sqlite.home
    home.run("report", "compare", "--last", "3")
    home.run("report", "compare", "--last", "3", "--html", "none.html")
    home.run("report", "growth", "--last", "1")
    empty = office_on_sqlite.books.add_issue(0)
    home.run("campaign", "report", str(empty))
    home.run("report", "compare", str(empty))
    assert "no issue has gone out yet" in terminal.export_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("report", "compare"), "say which: the numbers of campaigns, or --last N"),
        (("report", "compare", "1", "--last", "2"), "say which"),
        (("report", "compare", "1", "--newsletter", "weekly"), "--newsletter goes with --last"),
        (("report", "compare", "99"), "there is no campaign 99"),
        (("report", "compare", *map(str, range(1, 52))), "51 campaigns do not fit"),
        (("report", "growth", "nope"), "nope"),
        (("report", "growth", "--last", "0"), "--last"),
        (("campaign", "report", "1", "--html", "pressrun.toml"), "is no web page"),
        (("campaign", "report", "1", "--html", "no/such/folder.html"), "can't be written"),
        (("report", "growth", "--html", "."), "--html"),
    ],
    ids=lambda words: " ".join(words)[:40] if isinstance(words, tuple) else "",
)
def test_mistakes_get_one_line(office_on_sqlite: Office, words: tuple[str, ...], told: str) -> None:
    office_on_sqlite.books.add_issue(1)
    settings = office_on_sqlite.home.settings.read_text()
    said = office_on_sqlite.home.run(*words, code=2)
    assert told in said.err
    assert said.err.count("\n") == 1
    assert office_on_sqlite.home.settings.read_text() == settings


def test_a_page_takes_the_place_of_an_older_one(office_on_sqlite: Office) -> None:
    Path("g.html").write_text("<!DOCTYPE html><p>old")
    office_on_sqlite.home.run("report", "growth", "--html", "g.html")
    assert "old" not in Path("g.html").read_text("utf-8")
