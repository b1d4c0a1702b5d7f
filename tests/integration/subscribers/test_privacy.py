"""What is kept of people: ended in time, and silent people told from readers."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from subscribers import queries
from subscribers.address import parse
from subscribers.database import Database
from subscribers.errors import SubscriberUnknown
from subscribers.event import Event, EventType
from subscribers.hygiene.sunset import silent
from subscribers.model import Newsletter
from subscribers.privacy.queries import events_of, holdings, purge_looks, purge_pending
from subscribers.record import record
from subscribers.segment import queries as segments
from subscribers.segment.model import in_words
from subscribers.tables import consents, suppressions
from subscribers.token import Keyring
from subscribers.transfer.importing import import_people
from subscribers.transfer.model import Import


def opened(session: Session, newsletter: Newsletter, person: int, at: datetime) -> None:
    event = Event(
        type=EventType.OPENED,
        at=at,
        source="test",
        source_id=f"{person}-{at}",
        newsletter_id=newsletter.id,
        subscriber_id=person,
    )
    record(session, event, now=at)


def test_old_looks_end_and_what_they_meant_stays(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        person, _ = queries.add(
            session, parse("ada@x.org"), weekly, keyring=keyring, now=now - timedelta(days=900)
        )
        for days in (500, 10):
            opened(session, weekly, person, now - timedelta(days=days))
        assert purge_looks(session, before=now - timedelta(days=400)) == 1
        assert purge_looks(session, before=now) == 1
        assert [one.type for one in events_of(session, person)] == ["subscribed", "confirmed"]
        tree = segments.read(session, "opened in last 30 days")
        assert segments.count(session, weekly.id, tree, now=now) == 1
        kept = {one.what: one.count for one in holdings(session)}
    assert kept["people with an address"] == 1
    assert kept["events: opens and clicks, each by its person"] == 0


def test_who_never_confirmed_is_forgotten_and_may_ask_again(
    database: Database, weekly: Newsletter, daily: Newsletter, keyring: Keyring, now: datetime
) -> None:
    long_ago = now - timedelta(days=60)
    with database.write() as session:
        for address, newsletters in (("never@x.org", [weekly]), ("both@x.org", [weekly, daily])):
            for newsletter in newsletters:
                queries.add(
                    session,
                    parse(address),
                    newsletter,
                    keyring=keyring,
                    now=long_ago,
                    confirmed=False,
                    name="Never",
                )
        before = now - timedelta(days=30)
        assert purge_pending(session, before=long_ago, now=now) == 0
        assert purge_pending(session, before=before, now=now) == 2
        assert purge_pending(session, before=before, now=now) == 0
        with pytest.raises(SubscriberUnknown):
            queries.find(session, parse("never@x.org"))
        assert queries.find(session, parse("both@x.org")).name == "Never"
        count = select(func.count())
        assert session.execute(count.select_from(suppressions)).scalar_one() == 0
        assert session.execute(count.select_from(consents)).scalar_one() == 1
        queries.add(session, parse("never@x.org"), weekly, keyring=keyring, now=now)


def test_who_asked_again_and_never_confirmed_has_left_as_before(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    left, asked = now - timedelta(days=90), now - timedelta(days=60)
    address = parse("left@x.org")
    with database.write() as session:
        joined = now - timedelta(days=200)
        person, _ = queries.add(session, address, weekly, keyring=keyring, now=joined, name="Lee")
        queries.unsubscribe(session, person, weekly, now=left)
        queries.add(session, address, weekly, keyring=keyring, now=asked, confirmed=False)
        assert queries.show(session, address, keyring=keyring).subscriptions[0].status == "pending"
        assert purge_pending(session, before=now - timedelta(days=30), now=now) == 1
        assert purge_pending(session, before=now - timedelta(days=30), now=now) == 0
        known = queries.show(session, address, keyring=keyring)
    assert known.subscriber.name == "Lee"
    assert known.subscriptions[0].status == "unsubscribed"
    assert known.subscriptions[0].left_at == left
    told = [one.action for one in known.consents]
    assert told == ["requested", "confirmed", "withdrawn", "requested"]
    order = Import(newsletter=weekly, keyring=keyring, now=now)
    import_people(database, BytesIO(b"email\nleft@x.org\n"), order)
    with database.read() as session:
        known = queries.show(session, address, keyring=keyring)
    assert known.subscriptions[0].status == "unsubscribed", "an old list brings nobody back"


def test_the_silent_are_those_who_could_have_looked(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        for name, joined, looked in (
            ("reader", 900, 20),
            ("silent", 900, 400),
            ("never", 900, None),
            ("new", 20, None),
        ):
            person, _ = queries.add(
                session,
                parse(f"{name}@x.org"),
                weekly,
                keyring=keyring,
                now=now - timedelta(days=joined),
            )
            if looked is not None:
                opened(session, weekly, person, now - timedelta(days=looked))
        tree = silent(timedelta(days=365))
        found = segments.people(session, weekly.id, tree, now=now, limit=9)
        assert segments.read(session, in_words(tree)) == tree
    assert [one.address for one in found] == ["silent@x.org", "never@x.org"]
