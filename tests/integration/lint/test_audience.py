"""`mailer issue check --audience` and `--to`: real people, on each kind of database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mailer.cli.issue import app
from subscribers import queries
from subscribers.address import parse
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare
from subscribers.database import Database
from subscribers.model import Newsletter
from subscribers.readers import queries as readers
from subscribers.token import Keyring

NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
HEAD = "---\nsubject: A\nnumber: 1\npreheader: b\n---\n"
PEOPLE: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "ada@example.org": ("Ada", {"city": "London"}),
    "nobody@example.org": ("", {}),
    "null@example.org": ("NULL", {"city": "N/A"}),
    "long@example.org": ("Maximilian" * 9, {"city": "Llanfairpwllgwyngyll"}),
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def weekly(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Newsletter:
    """A newsletter with four readers, one who left, and the settings that lead there."""
    keyring = Keyring.generate()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", database_url)
    monkeypatch.setenv("PRESSRUN_KEYS", keyring.to_text())
    with database.write() as session:
        declare(session, [Definition(name="city", kind=Kind.TEXT)], now=NOW)
        newsletter = queries.add_newsletter(
            session,
            Newsletter(
                id=0,
                slug="weekly",
                name="Weekly",
                from_name="Ed",
                from_address="ed@example.org",
                postal_address="1 Quay Street",
                url="https://example.org",
                double_opt_in=False,
            ),
            now=NOW,
        )
        for address, (name, attributes) in PEOPLE.items():
            queries.add(
                session,
                parse(address),
                newsletter,
                keyring=keyring,
                now=NOW,
                name=name,
                attributes=attributes,
            )
        gone = parse("left@example.org")
        left, _ = queries.add(session, gone, newsletter, keyring=keyring, now=NOW, name="L" * 200)
        queries.unsubscribe(session, left, newsletter, now=NOW)
    return newsletter


def _check(body: str, *options: str) -> Result:
    Path("issue.md").write_text(HEAD + body, encoding="utf-8")
    return CliRunner().invoke(app, ["check", "issue.md", *options])


def test_what_breaks_is_told_with_those_for_whom(weekly: Newsletter) -> None:
    body = (
        'Hello {{ subscriber.name | default("") }},\n\n'
        "{% if subscriber.attributes.city %}\nin {{ subscriber.attributes.city }}\n{% endif %}\n"
    )
    done = _check(body, "--audience", "weekly", "--json")
    assert done.exit_code == 0, done.output
    found = {(each["rule"], each["line"]): each["message"] for each in json.loads(done.stdout)}
    assert found == {
        ("empty-value", 6): 'subscriber.name | default("") is empty for 1 of 4: nobody@example.org',
        ("junk-value", 6): "subscriber.name | default(\"\") is 'NULL' for 1 of 4: null@example.org",
        ("junk-value", 9): "subscriber.attributes.city is 'N/A' for 1 of 4: null@example.org",
    }
    assert "4 people of weekly; sent none" in done.stderr


def test_nothing_is_said_where_all_is_well(weekly: Newsletter) -> None:
    done = _check("Hello you.\n", "--audience", "weekly", "--strict")
    assert (done.exit_code, done.stdout.strip()) == (0, "no problems found"), done.output


def test_an_unknown_newsletter_is_a_mistake(weekly: Newsletter) -> None:
    assert "weekly" in str(_check("Hello.\n", "--audience", "monthly").exception)


def test_the_longest_values_are_those_of_real_readers(weekly: Newsletter) -> None:
    subject = HEAD.replace("subject: A", "subject: \"Hi {{ subscriber.name | default('you') }}\"")
    Path("issue.md").write_text(subject + "Words.\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["check", "issue.md"])
    assert "the subject has 93 characters with the longest values" in done.stdout, done.output


def test_an_attribute_that_nobody_has(weekly: Newsletter) -> None:
    done = _check('In {{ subscriber.attributes.ctiy | default("town") }}.\n', "--to", "weekly")
    assert "issue.md:6:4: warning: there is no attribute 'ctiy'; did you mean city?" in done.stdout


def test_an_attribute_that_no_condition_can_ask_for(weekly: Newsletter) -> None:
    body = "A.\n\n{% if subscriber.attributes.ctiy %}\nB.\n{% endif %}\n"
    assert "issue.md:8:7: warning: there is no attribute 'ctiy'" in _check(body).stdout


def test_readers_are_streamed_and_measured(database: Database, weekly: Newsletter) -> None:
    with database.read() as session:
        found = [person.address for person in readers.recipients(session, weekly.id)]
        longest = readers.longest(session, weekly.id, ["city"])
        none = readers.longest(session, weekly.id + 1, ["city"])
    assert found == list(PEOPLE)
    assert longest.name == "Maximilian" * 9
    assert longest.email == "nobody@example.org"
    assert longest.attributes == {"city": "Llanfairpwllgwyngyll"}
    assert (none.name, none.email, none.attributes) == ("", "", {"city": ""})
