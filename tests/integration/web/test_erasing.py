"""Erased by the page, a person is found nowhere: not in a row, and not in the file's bytes."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from mailer.campaign.tables import campaigns
from mailer.delivery.tables import domains
from mailer.feedback.join import apply_signups
from mailer.notice.model import Notice
from mailer.notice.send import send
from mailer.report.privacy.erase import erase
from mailer.web.applier import Applier
from mailer.web.services import WebServices
from mailer.web.visit import post_of
from subscribers import queries as people
from subscribers.address import parse
from subscribers.database import Database, metadata
from subscribers.model import Agreement
from subscribers.outbox.tables import endpoints
from subscribers.segment import queries as segments
from subscribers.signup.model import Limits
from subscribers.suppression.queries import named, suppress
from subscribers.tables import consents, subscribers
from subscribers.token import Scope
from tests.integration.feedback.world import World
from tests.integration.web.client import Client

ADDRESS = "Forget.Me@private-person.org"


@pytest.fixture
def traces(client: Client, services: WebServices, world: World) -> int:
    """A person who is named wherever anything about a person may stand; gives their id."""
    person = world.add_person(ADDRESS, "weekly", "daily")
    _told(world, person)
    campaign = world.add_campaign()
    copy = world.add_copy(campaign, ADDRESS, person)
    test = world.add_copy(world.add_campaign(), ADDRESS, None)
    _reported(world, copy, test)
    client.post("/s/weekly", data={"address": ADDRESS}).raise_for_status()
    token = world.token(Scope.PREFERENCES, copy)
    client.post(f"/p/{token}/about", data={"name": "Forget Me"}).raise_for_status()
    client.post(f"/p/{token}/pause/1", data={"span": "1m"}).raise_for_status()
    client.post("/api/subscribe", json={"newsletter": "daily", "address": ADDRESS.upper()})
    with world.database.write() as session:
        segments.save(session, "them", f"address = {ADDRESS}", now=world.now)
        session.execute(
            update(campaigns)
            .where(campaigns.c.id == campaign)
            .values(segment=f'address = "{ADDRESS.lower()}"')
        )
    return person


def _told(world: World, person: int) -> None:
    with world.database.write() as session:
        session.execute(
            insert(endpoints).values(
                url="https://own.example", wanted=["*"], state="on", seed="x", created_at=world.now
            )
        )
        people.add(
            session,
            parse(ADDRESS),
            world.newsletters["weekly"],
            keyring=world.keyring,
            now=world.now,
            agreement=Agreement(form=f"/join?email={ADDRESS}", words="yes"),
            tags=("forget.me",),
        )
        people.unsubscribe(session, person, world.newsletters["weekly"], now=world.now)
        people.add(
            session,
            parse(ADDRESS),
            world.newsletters["weekly"],
            keyring=world.keyring,
            now=world.now,
            agreement=Agreement(form=f"/join?email={ADDRESS}", words=f"I am {ADDRESS}"),
        )
        suppress(session, named(ADDRESS), keyring=world.keyring, newsletter_id=99, now=world.now)
        session.execute(
            insert(domains).values(
                domain="private-person.org", lane="other", source="mx", looked_up_at=world.now
            )
        )


def _reported(world: World, copy: int, test: int) -> None:
    """Requests understood, not understood, about somebody else's copy, and still waiting."""
    soft = {"reason": "mailbox-full", "text": f"<{ADDRESS}> is full, says {ADDRESS.lower()}"}
    world.keep(world.report("bounced", token=str(copy), recipient=ADDRESS, **soft))
    world.keep(world.report("bounced", recipient=ADDRESS, **soft))
    world.keep(f'{{"broken": "{ADDRESS}"'.encode())
    mail = f"From: {ADDRESS}\r\nTo: us@example.com\r\nSubject: away\r\n\r\nI, {ADDRESS}, am away."
    world.keep_all([("mail-1", mail.encode())], provider="mail")
    world.apply()
    world.keep(f'{{"waits": "{ADDRESS}", "bytes": "\xff"}}'.encode("latin-1"))
    world.keep(world.report("delivered", token=str(test), recipient=ADDRESS.upper()))


def rows(world: World) -> list[str]:
    """All rows of all tables as text."""
    with world.database.read() as session:
        return [
            f"{table.name}: {' '.join(_text(value) for value in row)}".casefold()
            for table in metadata.sorted_tables
            for row in session.execute(select(table))
        ]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def naming(world: World) -> set[str]:
    """The tables that name the person."""
    return {
        row.partition(":")[0]
        for row in rows(world)
        if "forget" in row or "private-person" in row or "forget me" in row
    }


def test_everything_that_names_a_person_goes_with_them(
    traces: int, client: Client, services: WebServices, world: World
) -> None:
    assert naming(world) >= {
        *("subscribers", "consents", "deliveries", "intake", "signups", "segments", "campaigns"),
        *("domains", "suppressions"),
    }
    with world.database.write() as session:
        weekly = world.newsletters["weekly"]
        person = people.find(session, parse(ADDRESS))
        letter = send(session, Notice.ERASE, weekly, person, post=post_of(services), now=world.now)
    assert letter is not None
    client.post(f"/e/{world.token(Scope.ERASE, letter)}").raise_for_status()
    assert naming(world) == set()
    world.apply()
    apply_signups(world.database, post_of(services), limits=Limits(), now=world.now)
    assert naming(world) == set()
    world.now += timedelta(hours=2)
    client.post("/s/weekly", data={"address": ADDRESS}).raise_for_status()
    apply_signups(world.database, post_of(services), limits=Limits(), now=world.now)
    assert naming(world) == set(), "a form brings nothing back"
    with world.database.write() as session:
        assert segments.read(session, "them"), "a saved segment still means something"


def test_the_neighbours_stay_as_they_were(traces: int, world: World) -> None:
    other = world.add_person("not.forget.me@private-person.org")
    with world.database.write() as session:
        segments.save(session, "other", "address = not.forget.me@private-person.org", now=world.now)
        erase(session, parse(ADDRESS), keyring=world.keyring, now=world.now)
    assert world.status(other) == "active"
    with world.database.read() as session:
        assert "not.forget.me@" in segments.saved(session)[0].expression
        assert session.execute(select(domains.c.domain)).scalar_one() == "private-person.org"


def test_what_was_kept_long_enough_ends_by_itself(services: WebServices, world: World) -> None:
    person = world.add_person("never@example.org")
    world.set_status(person, "pending")
    world.keep(b"not understood")
    world.apply()
    with world.database.write() as session:
        session.execute(delete(consents).where(consents.c.action == "confirmed"))
    world.now += timedelta(days=20)
    assert Applier(services).forget() == 0
    assert world.status(person) == "pending"
    world.now += timedelta(days=20)
    assert Applier(services).forget() == 2
    assert world.bodies() == [b""]
    with world.database.read() as session:
        assert session.execute(select(subscribers.c.address)).scalar_one() is None


def test_the_bytes_of_a_file_hold_no_more_than_its_rows(tmp_path: Path, sqlite_url: str) -> None:
    world = World(database=Database(sqlite_url))
    world.add_newsletter("weekly")
    world.add_person(ADDRESS)
    for number in range(50):
        world.add_person(f"other{number}@example.org")
    with world.database.write() as session:
        erase(session, parse(ADDRESS), keyring=world.keyring, now=world.now)
    world.database.dispose()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = file.read_bytes().lower()
    assert b"other1@example.org" in found
    assert b"forget.me" not in found
