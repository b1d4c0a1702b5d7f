"""`mailer newsletter` as somebody types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.cli.app import main
from subscribers import queries as people
from subscribers.database import Database
from subscribers.model import Newsletter, UnknownPolicy
from tests.integration.feedback.world import rendering


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]
WEEKLY = (
    "add", "weekly", "--name", "The  Weekly", "--from", "Ann <ann@example.com>",
    "--postal-address", "1 Road, Town",
)  # fmt: skip


@pytest.fixture
def mailer(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `mailer newsletter …` in a folder with settings; each kind of database in turn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", database_url)
    monkeypatch.setenv("PRESSRUN_PUBLIC_URL", "https://news.example.com")

    def run(*arguments: str, group: str = "newsletter") -> Done:
        monkeypatch.setattr(sys, "argv", ["mailer", group, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(code=int(ended.value.code or 0), out=said.out, err=said.err)

    return run


def row(url: str, slug: str = "weekly") -> Newsletter:
    database = Database(url)
    try:
        with database.read() as session:
            return people.newsletter_by_slug(session, slug)
    finally:
        database.dispose()


def test_several_newsletters_in_one_installation(mailer: Run, database_url: str) -> None:
    assert mailer(*WEEKLY).code == 0
    daily = mailer(
        "add", "daily", "--name", "Daily", "--from", "bob@example.org",
        "--postal-address", "2 Road", "--url", "https://daily.example.org/", "--single-opt-in",
        "--language", "pt-BR", "--json",
    )  # fmt: skip
    assert json.loads(daily.out)["url"] == "https://daily.example.org"
    made = row(database_url)
    assert (made.name, made.from_name, made.from_address) == (
        "The Weekly",
        "Ann",
        "ann@example.com",
    )
    assert (made.url, made.double_opt_in) == ("https://news.example.com", True)
    assert row(database_url, "daily").from_name == "Daily"
    listed = mailer("list")
    assert [line.split("\t")[0] for line in listed.out.splitlines()] == ["daily", "weekly"]
    shown = mailer("show", "daily")
    assert "double opt in\tno\n" in shown.out
    assert "give up after\t48 h\n" in shown.out
    which = mailer("show")
    assert (which.code, which.err) == (2, "mailer: which newsletter? name one of: daily, weekly\n")


def test_what_is_set_is_shown_and_kept(mailer: Run, database_url: str) -> None:
    mailer(*WEEKLY)
    options = (
        "set", "weekly", "--from", "Anna <anna@example.com>", "--reply-to", "Bob <bob@example.com>",
        "--theme", "letter", "--relay", "default", "--give-up-after", "3d", "--timezone",
        "Asia/Tokyo", "--soft-bounce-limit", "3", "--soft-bounce-days", "7", "--single-opt-in",
        "--unknown-policy", "resend",
    )  # fmt: skip
    before = row(database_url)
    tried = mailer(*options, "--dry-run")
    assert "from address\tann@example.com\tanna@example.com\n" in tried.out
    assert row(database_url) == before
    done = json.loads(mailer(*options, "--json").out)
    assert {"field": "theme", "before": "digest", "after": "letter"} in done["changes"]
    after = row(database_url)
    assert (after.from_name, after.from_address) == ("Anna", "anna@example.com")
    assert (after.reply_to, after.theme, after.relay) == ("bob@example.com", "letter", "default")
    assert (after.give_up_after, after.timezone) == (timedelta(days=3), "Asia/Tokyo")
    assert (after.soft_bounce_limit, after.soft_bounce_days) == (3, 7)
    assert (after.double_opt_in, after.unknown_policy) == (False, UnknownPolicy.RESEND)
    assert (after.name, after.postal_address, after.url) == (
        before.name,
        before.postal_address,
        before.url,
    )
    assert "nothing changes" in mailer(*options).out
    assert mailer("set", "--reply-to", "", "--relay", "").code == 0
    assert (row(database_url).reply_to, row(database_url).relay) == (None, None)
    assert mailer("use", "magazine", group="theme").code == 0
    assert row(database_url).theme == "magazine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "say what to change"),
        (("--name", " "), "--name: write one line of text"),
        (("--from", "nobody"), "--from: 'nobody' has no @"),
        (("--reply-to", "a@b@c"), "--reply-to: "),
        (("--url", "ftp://x"), "--url: 'ftp://x' is no address"),
        (("--language", "klingon please"), "--language: "),
        (("--timezone", "Mars/Base"), "--timezone: 'Mars/Base' is no time zone"),
        (("--theme", "no-such"), "--theme: there is no theme 'no-such'"),
        (("--theme", "../../etc"), "--theme: "),
        (("--relay", "pigeon"), "--relay: there is no relay 'pigeon'; there are: default"),
        (("--soft-bounce-limit", "0"), "--soft-bounce-limit: 0 is out of range"),
        (("--soft-bounce-days", "99999999999"), "--soft-bounce-days: 99999999999 is out of range"),
        (("--give-up-after", "999999d"), "--give-up-after: '999999d' is out of range"),
        (("--tracking", "bogus"), "'--tracking': 'bogus' is not one of"),
        (("--give-up-after", "soon"), "--give-up-after: 'soon' is no span of time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_nonsense_is_refused_in_one_line(
    options: tuple[str, ...], words: str, mailer: Run, database_url: str
) -> None:
    mailer(*WEEKLY)
    before = row(database_url)
    done = mailer("set", "weekly", *options)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert row(database_url) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "weekly", "--name", "x"), "say --from, --postal-address"),
        (("add", "Not So", *WEEKLY[2:]), "'Not So' is no short name"),
        (WEEKLY, "there is a newsletter 'weekly' already"),
        (("set", "monthly", "--theme", "letter"), "there is no newsletter 'monthly'; there are:"),
    ],
    ids=["missing", "slug", "taken", "unknown"],
)
def test_mistakes_of_names(arguments: tuple[str, ...], words: str, mailer: Run) -> None:
    mailer(*WEEKLY)
    done = mailer(*arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert words in done.err


def test_the_from_domain_stays_while_copies_may_leave(mailer: Run, database_url: str) -> None:
    """A retry carries the same Message-ID, which names that domain."""
    mailer(*WEEKLY)
    database = Database(database_url)
    now = datetime.now(UTC)
    with database.write() as session:
        campaign_id = campaign_queries.add(
            session, rendering(), kind=CampaignKind.ISSUE, newsletter_id=row(database_url).id,
            issue_number=1, checksum="1", edition=0, due_at=now, timezone="UTC", now=now,
        )  # fmt: skip
        session.execute(campaigns.update().values(state=CampaignState.PAUSED))
    done = mailer("set", "--from", "Ann <ann@elsewhere.example>", "--theme", "letter")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"campaign {campaign_id} is under way" in done.err
    assert row(database_url).theme == "digest"
    assert mailer("set", "--from", "Ann B <ann.b@example.com>").code == 0
    with database.write() as session:
        campaign_queries.cancel(session, campaign_id, now=now)
    assert mailer("set", "--from", "Ann <ann@elsewhere.example>").code == 0
    database.dispose()
