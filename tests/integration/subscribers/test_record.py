"""The one writer of events, on real databases, also when two write at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import func, select

from subscribers import audience, queries
from subscribers.address import parse
from subscribers.database import Database
from subscribers.event import Event, EventType, Hardness
from subscribers.model import Newsletter, Status
from subscribers.reason import Reason
from subscribers.record import Recorded, record, record_all
from subscribers.tables import consents, events, subscriptions, suppressions
from subscribers.token import Keyring


@pytest.fixture
def ada(database: Database, weekly: Newsletter, keyring: Keyring, now: datetime) -> int:
    """An active subscriber of the weekly."""
    with database.write() as session:
        return queries.add(session, parse("ada@example.org"), weekly, keyring=keyring, now=now)[0]


def event(kind: EventType, source_id: str, now: datetime, **more: object) -> Event:
    values: dict[str, object] = {"type": kind, "at": now, "source": "generic"}
    return Event(**values | {"source_id": source_id} | more)  # type: ignore[arg-type]


def hard(source_id: str, now: datetime, **more: object) -> Event:
    bounce = {"hardness": Hardness.HARD, "reason": Reason.NO_SUCH_USER}
    return event(EventType.BOUNCED, source_id, now, **bounce | more)


def soft(source_id: str, now: datetime, **more: object) -> Event:
    bounce = {"hardness": Hardness.SOFT, "reason": Reason.MAILBOX_FULL}
    return event(EventType.BOUNCED, source_id, now, **bounce | more)


def status_of(database: Database, person: int, newsletter: Newsletter) -> tuple[str, int]:
    with database.read() as session:
        row = session.execute(
            select(subscriptions.c.status, subscriptions.c.soft_bounces).where(
                subscriptions.c.subscriber_id == person,
                subscriptions.c.newsletter_id == newsletter.id,
            )
        ).one()
    return row.status, row.soft_bounces


def count(database: Database, table: object) -> int:
    with database.read() as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[call-overload]


def test_a_hard_bounce_ends_and_suppresses_and_the_event_says_so(
    database: Database, weekly: Newsletter, ada: int, now: datetime
) -> None:
    one = hard("b1", now, subscriber_id=ada, newsletter_id=weekly.id, evidence={"code": "550"})
    with database.write() as session:
        assert record(session, one, now=now) == Recorded(
            applied=True, effect="bounced, address suppressed"
        )
    assert status_of(database, ada, weekly)[0] == Status.BOUNCED
    with database.read() as session:
        reason = audience.why_not(newsletter_id=weekly.id, subscriber_id=ada)
        assert session.execute(select(reason)).scalar_one() == "bounced"
        row = session.execute(select(events).where(events.c.source_id == "b1")).one()
        assert (row.effect, row.evidence) == ("bounced, address suppressed", {"code": "550"})
        assert session.execute(select(suppressions.c.reason)).scalars().all() == ["no-such-user"]


def test_the_same_event_counts_once_however_it_comes(
    database: Database, weekly: Newsletter, ada: int, now: datetime
) -> None:
    one = soft("b1", now, subscriber_id=ada, newsletter_id=weekly.id)
    with database.write() as session:
        first, second = record_all(session, [one, one], now=now)
        third = record(session, one, now=now)
    with database.write() as session:
        fourth = record(session, one, now=now)
    assert [one.applied for one in (first, second, third, fourth)] == [True, False, False, False]
    assert status_of(database, ada, weekly) == (Status.ACTIVE, 1)


def test_of_two_writers_at_once_exactly_one_applies(
    database: Database, weekly: Newsletter, ada: int, now: datetime
) -> None:
    before = count(database, events)

    def report(number: int) -> bool:
        one = soft(f"b{number % 10}", now, subscriber_id=ada, newsletter_id=weekly.id)
        with database.write() as session:
            return record(session, one, now=now).applied

    numbers = [*range(10)] * 4
    random.shuffle(numbers)
    with ThreadPoolExecutor(4) as pool:
        applied = sum(pool.map(report, numbers))
    assert applied == 10
    assert count(database, events) == before + 10
    # The limit of three was reached, the others found the address bounced.
    assert status_of(database, ada, weekly) == (Status.BOUNCED, 3)


def test_an_event_about_nobody_is_recorded_once_by_two_at_once(
    database: Database, weekly: Newsletter, now: datetime
) -> None:
    def report(_number: int) -> bool:
        with database.write() as session:
            return record(session, hard("stray", now), now=now).applied

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(report, range(12))) == 1
    with database.read() as session:
        effect = session.execute(select(events.c.effect)).scalar_one()
    assert effect == "ignored: names no subscriber"


def test_nothing_is_kept_of_a_transaction_that_fails(
    database: Database, weekly: Newsletter, ada: int, now: datetime
) -> None:
    before = count(database, events)
    one = hard("b1", now, subscriber_id=ada, newsletter_id=weekly.id)

    def fail_after_recording() -> None:
        with database.write() as session:
            assert record(session, one, now=now).applied
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_recording()
    assert count(database, events) == before
    assert count(database, suppressions) == 0
    assert status_of(database, ada, weekly)[0] == Status.ACTIVE


def test_a_complaint_suppresses_for_all_newsletters_and_outlives_a_late_delivery(
    database: Database,
    weekly: Newsletter,
    daily: Newsletter,
    ada: int,
    keyring: Keyring,
    now: datetime,
) -> None:
    with database.write() as session:
        queries.add(session, parse("ada@example.org"), daily, keyring=keyring, now=now)
        about = {"subscriber_id": ada, "newsletter_id": weekly.id}
        late = [event(EventType.COMPLAINED, "c", now, **about)]
        late += [event(EventType.DELIVERED, "d", now, **about)]
        late += [event(EventType.CONFIRMED, "e", now, **about)]
        effects = [one.effect for one in record_all(session, late, now=now)]
    assert effects[0].startswith("complained")
    assert all(effect.startswith("ignored: ") for effect in effects[1:])
    assert status_of(database, ada, weekly)[0] == Status.COMPLAINED
    with database.read() as session:
        reason = audience.why_not(newsletter_id=daily.id, subscriber_id=ada)
        assert session.execute(select(reason)).scalar_one() == "suppressed"
        withdrawn = select(consents.c.newsletter_id).where(consents.c.action == "withdrawn")
        assert session.execute(withdrawn).scalars().all() == [weekly.id]


def test_an_event_without_a_newsletter_concerns_all(
    database: Database,
    weekly: Newsletter,
    daily: Newsletter,
    ada: int,
    keyring: Keyring,
    now: datetime,
) -> None:
    with database.write() as session:
        queries.add(session, parse("ada@example.org"), daily, keyring=keyring, now=now)
        one = event(EventType.UNSUBSCRIBED, "u", now, subscriber_id=ada)
        assert record(session, one, now=now).effect == "unsubscribed"
    for newsletter in (weekly, daily):
        assert status_of(database, ada, newsletter)[0] == Status.UNSUBSCRIBED


def test_a_delivery_between_resets_the_count(
    database: Database, weekly: Newsletter, ada: int, now: datetime
) -> None:
    about = {"subscriber_id": ada, "newsletter_id": weekly.id}
    story = [soft("1", now, **about), soft("2", now, **about)]
    story += [event(EventType.DELIVERED, "3", now, **about), soft("4", now, **about)]
    with database.write() as session:
        effects = [one.effect for one in record_all(session, story, now=now)]
    assert effects == [
        "soft bounce 1 of 3",
        "soft bounce 2 of 3",
        "delivered",
        "soft bounce 1 of 3",
    ]
    assert status_of(database, ada, weekly) == (Status.ACTIVE, 1)
