"""An erased address is found nowhere in a dump of the whole database."""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.campaign import queries as campaign_queries
from mailer.campaign.schedule import add_test
from mailer.cli.app import main
from mailer.delivery.plan import plan_single
from subscribers import queries
from subscribers.address import parse
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare
from subscribers.database import Database
from subscribers.model import Agreement, Newsletter
from subscribers.suppression.queries import named, suppress
from subscribers.token import Keyring
from tests.integration.delivery.conftest import simple_rendering

ADDRESS = "Forget.Me@private.example"


@pytest.fixture
def installation(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database in which a person has left traces in all the places there are."""
    keyring, now = Keyring.generate(), datetime.now(UTC)
    (tmp_path / "pressrun.keys").write_text(keyring.to_text(), encoding="utf-8")
    database = Database(sqlite_url)
    newsletter = Newsletter(
        id=0,
        slug="weekly",
        name="Weekly",
        from_name="Ed",
        from_address="ed@example.org",
        postal_address="1 Quay Street",
        url="https://example.org",
    )
    with database.write() as session:
        newsletter = queries.add_newsletter(session, newsletter, now=now)
        declare(session, [Definition(name="note", kind=Kind.TEXT)], now=now)
        queries.add(
            session,
            parse(ADDRESS),
            newsletter,
            keyring=keyring,
            now=now,
            name="Forget Me",
            attributes={"note": f"writes as {ADDRESS}"},
            tags=("forget.me",),
            agreement=Agreement(form=f"/join?email={ADDRESS}", words="yes"),
        )
        suppress(session, named(ADDRESS), keyring=keyring, newsletter_id=newsletter.id, now=now)
        campaign = add_test(session, simple_rendering(), newsletter=newsletter, now=now)
        plan_single(
            session,
            campaign,
            to_address=ADDRESS,
            address_hash=keyring.address_hash(parse(ADDRESS).key),
            now=now,
        )
        campaign_queries.cancel(session, campaign, now=now)
    database.dispose()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", sqlite_url)
    return tmp_path / "pressrun.db"


def mailer(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command; gives its exit code."""
    monkeypatch.setattr(sys, "argv", ["mailer", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def dump(path: Path) -> str:
    """The whole database as SQL, in lower case."""
    with sqlite3.connect(path) as connection:
        return "\n".join(connection.iterdump()).lower()


def test_an_erased_address_is_found_nowhere(
    installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dump(installation)
    assert before.count("forget.me@private.example") >= 5
    assert mailer(monkeypatch, "privacy", "export", ADDRESS) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["person"]["address"] == ADDRESS
    assert [one["action"] for one in told["consents"]] == ["requested", "confirmed"]
    assert told["subscriptions"][0]["newsletter"] == "Weekly"
    assert mailer(monkeypatch, "privacy", "erase", ADDRESS, "--yes") == 0
    after = dump(installation)
    assert "forget" not in after
    assert "private.example" not in after


def test_the_report_and_the_purge_speak_of_each_kind(
    installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mailer(monkeypatch, "privacy", "report", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    counts = {one["what"]: one["count"] for one in report["kept"]}
    assert counts["people with an address"] == 1
    assert counts["test copies that name an address"] == 1
    assert counts["requests to subscribe that wait to be looked at"] == 0
    assert counts["news for systems of yours, by number alone"] == 0
    assert report["retention_seconds"]["pending"] == 30 * 86_400
    monkeypatch.setenv("PRESSRUN_RETENTION__TESTS", "PT0S")
    assert mailer(monkeypatch, "privacy", "purge", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["tests"] == 1
    assert mailer(monkeypatch, "privacy", "purge", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "dry_run": False,
        "events": 0,
        "pending": 0,
        "tests": 1,
        "requests": 0,
    }
