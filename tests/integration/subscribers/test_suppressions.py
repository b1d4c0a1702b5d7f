"""Suppressions: by address and by domain, everywhere or in one place, lifted only by a person."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from subscribers import audience, queries
from subscribers.address import parse
from subscribers.database import Database
from subscribers.errors import AddressInvalid, Suppressed
from subscribers.model import Newsletter, Status, SuppressionScope
from subscribers.suppression.queries import every, lift, named, suppress
from subscribers.token import Keyring

WHATS = {
    "an address": ("Ada@Example.org ", SuppressionScope.ADDRESS, "ada@example.org"),
    "a domain": ("example.org", SuppressionScope.DOMAIN, "example.org"),
    "a domain with its @": ("@Bücher.example", SuppressionScope.DOMAIN, "xn--bcher-kva.example"),
}


@pytest.mark.parametrize(("text", "scope", "value"), WHATS.values(), ids=WHATS)
def test_what_is_meant_is_understood(text: str, scope: SuppressionScope, value: str) -> None:
    assert (named(text).scope, named(text).value) == (scope, value)


@pytest.mark.parametrize("text", ["", "@", "a@", "@@x.org", "a b@x.org", "localhost"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalid):
        named(text)


def test_a_suppression_holds_where_it_says(
    database: Database, weekly: Newsletter, daily: Newsletter, keyring: Keyring, now: datetime
) -> None:
    ada, bo = parse("ada@example.org"), parse("bo@blocked.example")
    with database.write() as session:
        for address in (ada, bo):
            for newsletter in (weekly, daily):
                queries.add(session, address, newsletter, keyring=keyring, now=now)
        for again in (True, False):
            what = named("ada@example.org")
            fresh = suppress(session, what, keyring=keyring, newsletter_id=weekly.id, now=now)
            assert fresh is again
        suppress(session, named("@blocked.example"), keyring=keyring, reason="legal", now=now)
        assert audience.count(session, weekly.id).size == 0
        assert audience.count(session, daily.id).size == 1
        told = [(one.value, one.newsletter, one.reason) for one in every(session)]
        assert told == [
            ("ada@example.org", "weekly", "manual"),
            ("blocked.example", None, "legal"),
        ]
        assert len([*every(session, newsletter_id=daily.id)]) == 1
        with pytest.raises(Suppressed, match="mailer suppressions lift @blocked"):
            queries.add(session, bo, weekly, keyring=keyring, now=now)


def test_lifting_subscribes_nobody_and_says_so(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    ada = parse("ada@example.org")
    with database.write() as session:
        queries.add(session, ada, weekly, keyring=keyring, now=now)
        suppress(session, named("ada@example.org"), keyring=keyring, now=now)
        lifted = lift(session, named("ADA@example.org"), keyring=keyring, reason="a slip", now=now)
        assert lifted == 1
        person = queries.show(session, ada, keyring=keyring)
        assert person.subscriptions[0].status is Status.ACTIVE
        assert person.consents[-1].action == "lifted"
        assert lift(session, named("nobody@x.org"), keyring=keyring, reason="?", now=now) == 0
        assert [*every(session)] == []


def test_an_erased_address_shows_as_nothing_but_a_hash(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    ada = parse("ada@example.org")
    with database.write() as session:
        queries.add(session, ada, weekly, keyring=keyring, now=now)
        suppress(session, named("ada@example.org"), keyring=keyring, now=now)
        queries.remove(session, ada, keyring=keyring, now=now)
        assert [one.value for one in every(session)] == [None]
        with pytest.raises(Suppressed):
            queries.add(session, ada, weekly, keyring=keyring, now=now)
        why = audience.why_not(newsletter_id=weekly.id, subscriber_id=1)
        assert session.execute(select(why)).scalar_one() == "erased"
