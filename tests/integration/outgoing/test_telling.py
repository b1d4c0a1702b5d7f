"""News reach real HTTP servers: signed, tried again, given up, by one process at a time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from mailer.delivery.tables import deliveries
from mailer.feedback.outgoing import queries
from mailer.feedback.outgoing.model import CallState, EndpointState
from mailer.outgoing_settings import OutgoingSettings
from subscribers import queries as people
from subscribers.address import parse
from subscribers.outbox.tables import endpoints, outbox
from tests.integration.outgoing.conftest import QUICK, Telling
from tests.integration.outgoing.receiver import Receiver


def test_news_arrive_in_order_signed_and_once(telling: Telling, receiver: Receiver) -> None:
    endpoint = telling.add(receiver.url)
    person = telling.world.add_person("ada@example.org")
    with telling.world.database.write() as session:
        people.unsubscribe(session, person, None, now=telling.world.now)
    assert telling.tell() == 3
    assert telling.tell() == 0
    assert receiver.types == [
        "subscriber.subscribed", "subscriber.confirmed", "subscriber.unsubscribed",
    ]  # fmt: skip
    for got in receiver.got:
        Webhook(telling.secret(endpoint)).verify(got.body, got.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(telling.secret(endpoint)).verify(got.body + b" ", got.headers)
        assert got.headers["webhook-id"] == got.told["id"]
    first, _, last = (got.told for got in receiver.got)
    assert first["version"] == 1
    assert first["sequence"] < last["sequence"]
    assert first["data"] == {
        "newsletter": "weekly",
        "subscriber": {"id": person, "email": "ada@example.org"},
        "status": "pending",
        "suppressed": False,
        "source": "cli",
    }
    assert last["data"]["status"] == "unsubscribed"


def test_nothing_is_written_where_nobody_listens(telling: Telling, receiver: Receiver) -> None:
    telling.world.add_person("ada@example.org")
    assert telling.log() == []
    telling.add(receiver.url, "campaign.*")
    telling.world.add_person("bob@example.org")
    assert telling.log() == []
    assert telling.tell() == 0


def test_news_that_were_taken_back_are_not_told(telling: Telling, receiver: Receiver) -> None:
    telling.add(receiver.url)
    world = telling.world

    def subscribe_and_fail() -> None:
        with world.database.write() as session:
            weekly = world.newsletters["weekly"]
            ada = parse("ada@example.org")
            people.add(session, ada, weekly, keyring=world.keyring, now=world.now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        subscribe_and_fail()
    assert telling.log() == []


def test_a_bounce_and_a_complaint_are_told_with_their_campaign(
    telling: Telling, receiver: Receiver
) -> None:
    world = telling.world
    campaign = world.add_campaign()
    copies = [
        world.add_copy(campaign, one, world.add_person(one))
        for one in ("a@x.example", "b@x.example")
    ]
    telling.add(receiver.url)
    reports = [
        world.report("bounced", delivery=world.verp(copies[0]), text="550 5.1.1 no such user"),
        world.report("complained", delivery=world.verp(copies[1])),
        # Says nothing about the person, and is no news.
        world.report("delivered", delivery=world.verp(copies[1])),
    ]
    world.keep(reports)
    world.apply()
    telling.tell()
    bounced, complained = (got.told for got in receiver.got)
    assert (bounced["type"], complained["type"]) == ("subscriber.bounced", "subscriber.complained")
    assert bounced["data"]["reason"] == "no-such-user"
    assert bounced["data"]["suppressed"] is True
    assert bounced["data"]["campaign"] == {"id": campaign, "issue": None, "subject": "Hello"}


def test_the_erased_are_told_of_by_number_alone(telling: Telling, receiver: Receiver) -> None:
    world = telling.world
    telling.add(receiver.url)
    person = world.add_person("ada@example.org")
    # What waits from before must not name them either.
    with world.database.write() as session:
        people.remove(session, parse("ada@example.org"), keyring=world.keyring, now=world.now)
    telling.tell()
    assert receiver.types[-1] == "subscriber.erased"
    assert {got.told["data"]["subscriber"]["id"] for got in receiver.got} == {person}
    assert b"ada@" not in b"".join(got.body for got in receiver.got)


def test_a_failure_is_tried_again_with_the_same_id(telling: Telling) -> None:
    with Receiver(answers=lambda number: (500 if number < 2 else 200, {})) as receiver:
        telling.add(receiver.url, "subscriber.confirmed")
        telling.world.add_person("ada@example.org")
        telling.tell_until({"delivered"})
        assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    (call,) = telling.log()
    assert (call.tries, call.result) == (3, "answered 200")
    assert telling.endpoint().failures == 0


def test_one_that_is_never_taken_is_given_up_and_the_rest_goes_on(telling: Telling) -> None:
    with Receiver() as receiver:
        receiver.answers = lambda number: (
            (500, {}) if receiver.got[number].told["type"] == "subscriber.subscribed" else (200, {})
        )
        telling.add(receiver.url)
        telling.world.add_person("ada@example.org")
        telling.tell_until({"delivered", "dead"})
    dead, delivered = telling.log()
    assert (dead.state, dead.tries) == (CallState.DEAD, 4)
    assert (delivered.state, delivered.type) == (CallState.DELIVERED, "subscriber.confirmed")


@pytest.mark.parametrize("how", ["refused", "slow", "redirect", "vanishes"])
def test_whatever_goes_wrong_is_told_and_tried_again(telling: Telling, how: str) -> None:
    telling.settings = QUICK.model_copy(update={"timeout": 0.3, "retries": (3600.0,)})
    answers = {"redirect": (302, {"location": "http://127.0.0.1:9/"})}
    receiver = Receiver(answers=lambda _number: answers.get(how, (200, {})))
    receiver.seconds = 0.6 if how == "slow" else 0.0
    with receiver:
        telling.add(receiver.url, "subscriber.confirmed")
        if how == "vanishes":
            receiver.answers = lambda _number: [][1]
        if how != "refused":
            telling.world.add_person("ada@example.org")
            telling.tell()
            assert len(receiver.got) == 1
    if how == "refused":
        telling.world.add_person("ada@example.org")
        telling.tell()
    (call,) = telling.log()
    assert (call.state, call.tries) == (CallState.WAITING, 1)
    assert call.due_at is not None
    assert call.due_at > datetime.now(UTC) + timedelta(minutes=59)
    words = {"refused": "ConnectError", "slow": "Timeout", "redirect": "redirects",
             "vanishes": "RemoteProtocolError"}  # fmt: skip
    assert words[how] in (call.result or "")


def test_private_addresses_are_refused_unless_settings_allow(
    telling: Telling, receiver: Receiver
) -> None:
    telling.settings = OutgoingSettings()
    telling.add(receiver.url, "subscriber.confirmed")
    telling.add(receiver.url.replace("http:", "https:"), "subscriber.confirmed")
    telling.world.add_person("ada@example.org")
    telling.tell()
    results = [one.result or "" for one in telling.log()]
    assert "only https" in results[0]
    assert "public internet" in results[1]
    assert receiver.got == []


def test_two_processes_do_not_tell_the_same(telling: Telling, receiver: Receiver) -> None:
    telling.add(receiver.url)
    for number in range(10):
        telling.world.add_person(f"p{number}@example.org")
    first, second = telling.teller(), telling.teller()
    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(one.tick, pool) for one in (first, second) * 3]
        wait([future for look in looks for future in look.result()])
    assert len(receiver.got) == 20
    assert receiver.most_open == 1
    sequence = [got.told["sequence"] for got in receiver.got]
    assert sequence == sorted(sequence)


def test_one_slow_endpoint_does_not_hold_up_another(telling: Telling, receiver: Receiver) -> None:
    with Receiver(seconds=1.0) as slow:
        telling.add(slow.url, "subscriber.confirmed")
        telling.add(receiver.url, "subscriber.confirmed")
        telling.world.add_person("ada@example.org")
        with ThreadPoolExecutor(4) as pool:
            _slow, quick = telling.teller().tick(pool)
            assert quick.result() == 1
            assert slow.open <= 1


def test_what_a_killed_process_had_taken_goes_on_after_its_lease(
    telling: Telling, receiver: Receiver
) -> None:
    telling.add(receiver.url, "subscriber.confirmed")
    telling.world.add_person("ada@example.org")
    soon = timedelta(milliseconds=200)
    with telling.world.database.write() as session:
        claimed = queries.claim(session, worker="killed", now=datetime.now(UTC), lease=soon, most=4)
    assert len(claimed) == 1
    assert telling.tell() == 0
    telling.tell_until({"delivered"}, most=10_000)
    assert len(receiver.got) == 1


def test_both_secrets_sign_while_they_overlap(telling: Telling, receiver: Receiver) -> None:
    before = telling.add(receiver.url, "subscriber.confirmed")
    world = telling.world
    later = datetime.now(UTC) + timedelta(hours=1)
    with world.database.write() as session:
        after = queries.rotate(session, before.id, old_until=later)
    world.add_person("ada@example.org")
    telling.tell()
    for endpoint in (before, after):
        Webhook(telling.secret(endpoint)).verify(receiver.got[0].body, receiver.got[0].headers)
    with world.database.write() as session:
        session.execute(update(endpoints).values(old_seed_until=datetime.now(UTC)))
    world.add_person("bob@example.org")
    telling.tell()
    Webhook(telling.secret(after)).verify(receiver.got[1].body, receiver.got[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(telling.secret(before)).verify(receiver.got[1].body, receiver.got[1].headers)


@pytest.mark.parametrize("why", ["gone", "days"])
def test_an_endpoint_that_is_no_more_is_switched_off_and_the_owner_told(
    telling: Telling, why: str
) -> None:
    world = telling.world
    with Receiver(answers=lambda _number: (410 if why == "gone" else 503, {})) as receiver:
        telling.add(receiver.url)
        world.add_person("ada@example.org")
        if why == "days":
            long_ago = datetime.now(UTC) - timedelta(days=4)
            with world.database.write() as session:
                session.execute(update(endpoints).values(failing_since=long_ago, failures=9))
        telling.tell()
        assert telling.tell() == 0
        assert len(receiver.got) == 1
        receiver.answers = lambda _number: (200, {})
        off = telling.endpoint()
        assert off.state is EndpointState.DISABLED
        assert ("410" if why == "gone" else "4 days") in (off.reason or "")
        with world.database.read() as session:
            to = session.execute(select(deliveries.c.to_address)).scalars().all()
        assert to == ["weekly@example.com"]
        # News are kept meanwhile, and all of them go out once it is called again.
        world.add_person("bob@example.org")
        with world.database.write() as session:
            queries.set_state(session, 1, EndpointState.ACTIVE, now=datetime.now(UTC))
        telling.tell_until({"delivered"})
    assert Counter(one.state for one in telling.log()) == {"delivered": 4}


def test_what_an_endpoint_asks_for_is_heeded(telling: Telling) -> None:
    with Receiver(answers=lambda _number: (429, {"retry-after": "1800"})) as receiver:
        telling.add(receiver.url)
        telling.world.add_person("ada@example.org")
        telling.tell()
        rests_until = telling.endpoint().rests_until
        assert rests_until is not None
        assert rests_until > datetime.now(UTC) + timedelta(minutes=29)
        assert telling.tell() == 0
        assert len(receiver.got) == 1


def test_what_was_told_is_told_again_when_asked(telling: Telling, receiver: Receiver) -> None:
    telling.add(receiver.url)
    telling.add(receiver.url, "campaign.*")
    telling.world.add_person("ada@example.org")
    telling.tell()
    told = [one.message_id for one in telling.log()]
    now = datetime.now(UTC)

    def replay(**which: object) -> int:
        with telling.world.database.write() as session:
            return queries.replay(session, 1, now=now, **which)  # type: ignore[arg-type]

    assert replay(since=telling.world.now + timedelta(hours=1)) == 0
    assert replay(dead=True) == 0
    assert replay(since=telling.world.now, until=now, dry_run=True) == 2
    assert telling.tell() == 0
    assert replay(ids=[told[1]]) == 1
    telling.tell()
    assert [got.headers["webhook-id"] for got in receiver.got] == [*told, told[1]]


def test_what_is_old_is_forgotten_and_what_is_new_is_not(
    telling: Telling, receiver: Receiver
) -> None:
    telling.add(receiver.url, "subscriber.confirmed")
    telling.world.add_person("ada@example.org")
    telling.world.add_person("bob@example.org")
    long_ago = datetime.now(UTC) - timedelta(days=31)
    with telling.world.database.write() as session:
        session.execute(update(outbox).where(outbox.c.id == 1).values(written_at=long_ago))
    telling.tell()
    assert len(telling.log()) == 1
    with telling.world.database.write() as session:
        queries.remove(session, 1)
        assert session.execute(select(func.count()).select_from(outbox)).scalar_one() == 0


def test_a_removed_endpoint_hurts_nobody_who_writes_for_it(telling: Telling) -> None:
    telling.add("https://gone.example.com/")
    with telling.world.database.write() as session:
        queries.remove(session, 1)
    assert telling.world.add_person("ada@example.org")
    assert replace(telling).tell() == 0
