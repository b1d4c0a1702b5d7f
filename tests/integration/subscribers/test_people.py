"""People and newsletters in real databases; who may be mailed; what an erasure leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from subscribers import audience, queries
from subscribers.address import parse
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare
from subscribers.database import Database, metadata
from subscribers.errors import NewsletterTaken, NewsletterUnknown, SubscriberUnknown, Suppressed
from subscribers.event import Event, EventType, Hardness
from subscribers.model import Agreement, Newsletter, Status, UnknownPolicy
from subscribers.reason import Reason
from subscribers.record import record
from subscribers.suppression.queries import named, suppress
from subscribers.tables import subscribers, subscriptions, suppressions
from subscribers.token import Keyring


def test_a_newsletter_is_kept_as_it_is(
    database: Database, weekly: Newsletter, daily: Newsletter, now: datetime
) -> None:
    changed = replace(
        weekly,
        reply_to="re@example.org",
        give_up_after=timedelta(hours=3),
        unknown_policy=UnknownPolicy.RESEND,
    )
    with database.write() as session:
        queries.set_newsletter(session, changed)
    with database.read() as session:
        assert queries.newsletter(session, weekly.id) == changed
        assert queries.newsletter_by_slug(session, "weekly") == changed
        assert queries.newsletters(session) == [daily, changed]
        with pytest.raises(NewsletterUnknown, match="there are: daily, weekly"):
            queries.newsletter_by_slug(session, "monthly")


def test_a_slug_is_taken_once(database: Database, weekly: Newsletter, now: datetime) -> None:
    with pytest.raises(NewsletterTaken), database.write() as session:
        queries.add_newsletter(session, weekly, now=now)


def test_two_spellings_are_one_person(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        first, _ = queries.add(
            session, parse("Ada@Example.org"), weekly, keyring=keyring, now=now, name="Ada"
        )
        second, again = queries.add(
            session, parse("ada@example.ORG"), weekly, keyring=keyring, now=now, tags=("x",)
        )
        person = queries.find(session, parse("ADA@example.org"))
    assert first == second
    assert again.effect == "ignored: subscribed already"
    assert (person.address, person.name, person.tags) == ("Ada@Example.org", "Ada", ("x",))


def everybody(
    database: Database, newsletter: Newsletter, keyring: Keyring, now: datetime
) -> dict[str, int]:
    """One person for each reason not to be mailed, and one without any."""
    names = ("fine", "left", "pending", "bounced", "spam", "listed", "erased")
    ids: dict[str, int] = {}
    with database.write() as session:
        for name in names:
            address = parse(f"{name}@example.org")
            ids[name], _ = queries.add(
                session,
                address,
                newsletter,
                keyring=keyring,
                now=now,
                confirmed=name != "pending",
            )
        # A whole domain, for this newsletter alone.
        blocked = parse("who@blocked.example")
        ids["domain"], _ = queries.add(session, blocked, newsletter, keyring=keyring, now=now)
        session.execute(
            insert(suppressions),
            [
                {
                    "newsletter_id": 0,
                    "scope": "address",
                    "value_hash": keyring.address_hash("listed@example.org"),
                    "reason": "manual",
                    "source": "test",
                    "at": now,
                },
                {
                    "newsletter_id": newsletter.id,
                    "scope": "domain",
                    "value_hash": keyring.domain_hash("blocked.example"),
                    "reason": "manual",
                    "source": "test",
                    "at": now,
                },
            ],
        )
        queries.unsubscribe(session, ids["left"], newsletter, now=now)
        for name, kind in (("bounced", EventType.BOUNCED), ("spam", EventType.COMPLAINED)):
            event = Event(
                type=kind,
                at=now,
                source="test",
                source_id=name,
                hardness=Hardness.HARD,
                reason=Reason.NO_SUCH_USER,
                newsletter_id=newsletter.id,
                subscriber_id=ids[name],
            )
            record(session, event, now=now)
        queries.remove(session, parse("erased@example.org"), keyring=keyring, now=now)
    return ids


def test_each_reason_not_to_be_mailed_is_named(
    database: Database, weekly: Newsletter, daily: Newsletter, keyring: Keyring, now: datetime
) -> None:
    ids = everybody(database, weekly, keyring, now)
    expected = {
        "fine": None,
        "left": "unsubscribed",
        "pending": "not-confirmed",
        "bounced": "bounced",
        "spam": "complained",
        "listed": "suppressed",
        "erased": "erased",
        "domain": "suppressed",
    }
    with database.read() as session:
        for name, reason in expected.items():
            why = audience.why_not(newsletter_id=weekly.id, subscriber_id=ids[name])
            assert session.execute(select(why)).scalar_one() == reason, name
        for nobody in (ids["fine"], 999_999):
            why = audience.why_not(newsletter_id=daily.id, subscriber_id=nobody)
            assert session.execute(select(why)).scalar_one() is not None
        counted = audience.count(session, weekly.id)
        mailed = session.execute(
            select(subscribers.c.id)
            .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
            .where(audience.mailable(weekly.id))
        )
        assert mailed.scalars().all() == [ids["fine"]]
        stats = audience.stats(session, weekly.id)
    assert counted.size == 1
    assert {why.value: people for why, people in counted.excluded.items()} == {
        "unsubscribed": 1,
        "not-confirmed": 1,
        "bounced": 1,
        "complained": 1,
        "suppressed": 2,
        "erased": 1,
    }
    assert stats.people[Status.ACTIVE] == 3
    assert stats.suppressed == 5


def test_after_an_erasure_no_column_holds_the_address(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    address = parse("Forget.Me@private.example")
    with database.write() as session:
        declare(session, [Definition(name="mail2", kind=Kind.TEXT)], now=now)
        person, _ = queries.add(
            session,
            address,
            weekly,
            keyring=keyring,
            now=now,
            name="Forget Me",
            attributes={"mail2": "forget.me@private.example"},
            tags=("forget.me",),
            agreement=Agreement(form="https://private.example/form", words="forget me", network=""),
        )
        what = named("FORGET.me@private.example")
        assert suppress(session, what, keyring=keyring, newsletter_id=weekly.id, now=now)
        told = Event(
            type=EventType.BOUNCED,
            at=now,
            source="test",
            source_id="1",
            subscriber_id=person,
            evidence={"reply": "no forget.me@private.example here"},
        )
        record(session, told, now=now)
        assert queries.remove(session, address, keyring=keyring, now=now) == person
    with database.read() as session:
        rows = [
            repr(row._mapping).lower()
            for table in metadata.sorted_tables
            for row in session.execute(select(table))
        ]
        assert len(rows) > 5
        for trace in ("forget", "private.example"):
            assert not [row for row in rows if trace in row]
        with pytest.raises(SubscriberUnknown, match="nobody here has the address"):
            queries.find(session, address)
        why = audience.why_not(newsletter_id=weekly.id, subscriber_id=person)
        assert session.execute(select(why)).scalar_one() == "erased"


def test_who_must_not_be_mailed_is_not_added_until_a_person_lifts_it(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    everybody(database, weekly, keyring, now)
    for name in ("spam", "bounced", "listed", "erased"):
        address = parse(f"{name}@example.org")
        with pytest.raises(Suppressed, match="--lift"), database.write() as session:
            queries.add(session, address, weekly, keyring=keyring, now=now)
        later = now + timedelta(minutes=1)
        with database.write() as session:
            person, _ = queries.add(
                session, address, weekly, keyring=keyring, now=later, lift="asked"
            )
            why = audience.why_not(newsletter_id=weekly.id, subscriber_id=person)
            assert session.execute(select(why)).scalar_one() is None, name


def test_all_that_is_known_of_a_person_is_shown(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    address = parse("ada@example.org")
    with database.write() as session:
        declare(session, [Definition(name="plan", kind=Kind.TEXT)], now=now)
        queries.add(session, address, weekly, keyring=keyring, now=now, attributes={"plan": "pro"})
        queries.unsubscribe(session, 1, weekly, now=now + timedelta(hours=1))
        person = queries.show(session, address, keyring=keyring)
    assert person.subscriber.attributes == {"plan": "pro"}
    assert [place.status for place in person.subscriptions] == [Status.UNSUBSCRIBED]
    assert [one.action for one in person.consents] == ["requested", "confirmed", "withdrawn"]
    assert person.subscriptions[0].left_at == now + timedelta(hours=1)


def test_members_come_in_pages(
    database: Database,
    weekly: Newsletter,
    keyring: Keyring,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 3)
    with database.write() as session:
        for number in range(8):
            address = parse(f"p{number}@example.org")
            queries.add(session, address, weekly, keyring=keyring, now=now)
        every = [one.subscriber.address for one in queries.members(session, weekly.id)]
        assert every == [f"p{number}@example.org" for number in range(8)]
        assert len([*queries.members(session, weekly.id, limit=7)]) == 7
        assert not [*queries.members(session, weekly.id, status=Status.BOUNCED)]


def test_the_record_of_consent_says_what_was_agreed_to_where_and_in_which_words(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    address = parse("ada@example.org")
    agreed = Agreement(form="https://example.org/join", words="Yes, weekly", network="192.0.2.1")
    with database.write() as session:
        queries.add(
            session,
            address,
            weekly,
            keyring=keyring,
            now=now,
            confirmed=False,
            source="form",
            agreement=agreed,
        )
        (first,) = queries.show(session, address, keyring=keyring).consents
    assert (first.action, first.source, first.at) == ("requested", "form", now)
    assert first.evidence == {
        "form": "https://example.org/join",
        "words": "Yes, weekly",
        "network": "192.0.2.1",
    }


def test_who_left_is_asked_again_even_where_nobody_else_is(
    database: Database, daily: Newsletter, keyring: Keyring, now: datetime
) -> None:
    address = parse("ada@example.org")
    with database.write() as session:
        person, first = queries.add(
            session, address, daily, keyring=keyring, now=now, confirmed=False, source="form"
        )
        queries.unsubscribe(session, person, daily, now=now)
        _, again = queries.add(
            session, address, daily, keyring=keyring, now=now, confirmed=False, source="form"
        )
        (place,) = queries.show(session, address, keyring=keyring).subscriptions
        assert (first.effect, again.effect) == (
            "subscribed",
            "subscribed again, to be confirmed",
        )
        assert place.status is Status.PENDING
        # A person at the command line vouches for them.
        queries.unsubscribe(session, person, daily, now=now)
        _, vouched = queries.add(session, address, daily, keyring=keyring, now=now)
        assert vouched.effect == "confirmed"


def test_what_was_lifted_and_why_stays_on_record(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    everybody(database, weekly, keyring, now)
    address = parse("spam@example.org")
    with database.write() as session:
        queries.add(session, address, weekly, keyring=keyring, now=now, lift="asked by phone")
        consents = queries.show(session, address, keyring=keyring).consents
    (lifted,) = [one for one in consents if one.action == "lifted"]
    assert lifted.evidence == {"reason": "asked by phone", "lifted": ["complaint"]}
    with database.write() as session:
        queries.remove(session, address, keyring=keyring, now=now)
        queries.add(session, address, weekly, keyring=keyring, now=now, lift="came back")
        fresh = queries.show(session, address, keyring=keyring).consents
    assert [one.evidence for one in fresh] == [{"lifted": "came back"}] * 2, "nobody was there"
