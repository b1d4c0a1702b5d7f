"""Segments on real databases: who is in one, and that nothing in one can harm the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import select

from subscribers import queries
from subscribers.address import parse as parse_address
from subscribers.attribute.queries import declare
from subscribers.database import Database
from subscribers.errors import SegmentInvalid, SegmentUnknown
from subscribers.event import Event, EventType
from subscribers.model import Newsletter
from subscribers.record import record
from subscribers.segment import queries as segments
from subscribers.segment.compile import condition
from subscribers.segment.model import Expression
from subscribers.segment.parse import parse
from subscribers.tables import subscribers, subscriptions
from subscribers.token import Keyring
from tests.unit.subscribers.trees import ATTRIBUTES, EXPRESSIONS

PEOPLE: dict[str, dict[str, object]] = {
    "ada@gmail.com": {
        "name": "Ada",
        "language": "en",
        "tags": ("vip", 'a "quoted" one'),
        "attributes": {"plan": "pro", "score": 12, "vip": True, "born": "1990-05-01"},
    },
    "bo@example.org": {
        "name": "Bo",
        "tags": ("vip2",),
        "attributes": {"plan": "free", "score": -0.5, "vip": False, "likes": ["tea", "jazz"]},
    },
    "林@bücher.example": {"name": "林 思远", "tags": ("读者",), "attributes": {"likes": ["茶"]}},
    "nobody@example.org": {},
}


@pytest.fixture
def world(database: Database, weekly: Newsletter, keyring: Keyring, now: datetime) -> Newsletter:
    """Four people; Ada opened ten days ago, Bo clicked a year ago."""
    with database.write() as session:
        declare(session, ATTRIBUTES.values(), now=now)
        ids = {}
        for number, (address, told) in enumerate(PEOPLE.items()):
            ids[address], _ = queries.add(
                session,
                parse_address(address),
                weekly,
                keyring=keyring,
                now=now - timedelta(days=100 * number),
                **told,  # type: ignore[arg-type]
            )
        for address, kind, days in (
            ("ada@gmail.com", EventType.OPENED, 10),
            ("ada@gmail.com", EventType.OPENED, 300),
            ("bo@example.org", EventType.CLICKED, 365),
        ):
            event = Event(
                type=kind,
                at=now - timedelta(days=days),
                source="test",
                source_id=f"{address}{days}",
                newsletter_id=weekly.id,
                subscriber_id=ids[address],
            )
            record(session, event, now=now)
    return weekly


SEGMENTS = {
    'plan = "pro"': "ada",
    "plan != pro": "bo 林 nobody",
    "not plan = pro": "bo 林 nobody",
    "plan in (pro, free)": "ada bo",
    "has plan": "ada bo",
    "plan contains R": "ada bo",
    "plan starts with FR": "bo",
    "plan ends with 'o'": "ada",
    "plan contains '%'": "",
    "score > 0": "ada",
    "score < 0": "bo",
    "score in (12, 13)": "ada",
    "not score > 0": "bo 林 nobody",
    "vip": "ada",
    "vip = false": "bo",
    "has vip": "ada",
    "not vip": "bo 林 nobody",
    "born < 2000-01-01": "ada",
    "born = 1990-05-01": "ada",
    "likes has tea": "bo",
    "likes has te": "",
    "likes has 茶": "林",
    "tag:vip": "ada",
    "tag:'a \"quoted\" one'": "ada",
    "tag:quoted": "",
    "tag:读者": "林",
    "domain = gmail.com": "ada",
    "domain = bücher.example": "林",
    "domain ends with .org": "bo nobody",
    "address = ADA@GMAIL.com": "ada",
    "name = ''": "nobody",
    "language = en": "ada",
    "not has language": "bo 林 nobody",
    "opened": "ada",
    "never opened": "bo 林 nobody",
    "opened in last 30 days": "ada",
    "opened in last 5 days": "",
    "clicked in last 2 years": "bo",
    "clicked since 2020-01-01": "bo",
    "joined in last 10 days": "ada",
    "joined < 2026-11-01": "bo 林 nobody",
    "joined = 2026-11-01": "ada",
    "plan = pro and not tag:vip or likes has jazz": "bo",
    "source = cli": "ada bo 林 nobody",
}


@pytest.mark.parametrize(("words", "expected"), SEGMENTS.items(), ids=SEGMENTS)
def test_a_segment_has_the_people_it_says(
    database: Database, world: Newsletter, now: datetime, words: str, expected: str
) -> None:
    with database.read() as session:
        tree = segments.read(session, words)
        found = segments.people(session, world.id, tree, now=now, limit=10)
        assert segments.count(session, world.id, tree, now=now) == len(found)
    assert {str(one.address).partition("@")[0] for one in found} == set(expected.split())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(tree=EXPRESSIONS)
def test_no_segment_makes_a_database_error_or_an_unbound_value(
    database: Database, world: Newsletter, now: datetime, tree: Expression
) -> None:
    with database.read() as session:
        told = condition(session, tree, now=now)
        held = set(session.execute(_addresses().where(told)).scalars())
        rest = set(session.execute(_addresses().where(~told)).scalars())
        # Never null: each person is in it or not.
        assert (held | rest, held & rest) == (set(PEOPLE), set())
        sql = str(told.compile(session.get_bind()))
    for constant in ("'pro'", '"pro"', "1990", "ada@", "example.org"):
        assert constant not in sql


def _addresses():  # type: ignore[no-untyped-def]
    return select(subscribers.c.address).join(subscriptions)


HOSTILE = {
    "quotes": 'plan = "\'; DROP TABLE subscribers; --"',
    "a percent": "plan contains '%(x)s %s :x ? $1'",
    "a backslash": r"plan contains '\\\\ \\'",
    "a path": "tag:'$.plan\"]'",
    "a wild card": "name starts with '_%'",
    "emoji": "tag:'👩‍👩‍👧'".replace("\u200d", ""),
}


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_only_values(
    database: Database, world: Newsletter, now: datetime, words: str
) -> None:
    with database.read() as session:
        tree = segments.read(session, words)
        assert segments.count(session, world.id, tree, now=now) == 0
        assert segments.count(session, world.id, parse("name != x", attributes={}), now=now) == 4


def test_values_of_another_kind_are_no_error(
    database: Database, world: Newsletter, now: datetime
) -> None:
    """What an older version or another hand wrote must not end the statement."""
    with database.write() as session:
        session.execute(
            subscribers.update().values(
                attributes={"score": "x", "vip": "perhaps", "likes": 3, "born": [1], "plan": {}}
            )
        )
    with database.read() as session:
        for words in ("score > 1", "vip", "likes has x", "born = 2000-01-01", "plan = x"):
            tree = segments.read(session, words)
            assert segments.count(session, world.id, tree, now=now) == 0


def test_consent_stands_over_a_segment(
    database: Database, world: Newsletter, keyring: Keyring, now: datetime
) -> None:
    with database.write() as session:
        person = queries.find(session, parse_address("ada@gmail.com"))
        queries.unsubscribe(session, person.id, world, now=now)
        tree = segments.read(session, "plan = pro or not plan = pro")
        assert segments.count(session, world.id, tree, now=now) == 3


def test_segments_are_saved_named_combined_and_removed(
    database: Database, world: Newsletter, now: datetime
) -> None:
    with database.write() as session:
        segments.save(session, "pros", "plan = pro", now=now)
        segments.save(session, "liked", "segment:pros or likes has jazz", now=now)
        segments.save(session, "liked", "segment:pros or likes has tea", now=now)
        assert [one.name for one in segments.saved(session)] == ["liked", "pros"]
        both = segments.combined(session, ["liked", "domain = bücher.example"], ["pros"])
        assert both is not None
        assert "segment:" not in both
        tree = parse(both, attributes=ATTRIBUTES)
        found = segments.people(session, world.id, tree, now=now, limit=9)
        assert [str(one.name) for one in found] == ["Bo", "林 思远"]
        assert segments.combined(session, [], []) is None
        with pytest.raises(SegmentUnknown, match="did you mean pros"):
            segments.read(session, "pross")
        with pytest.raises(SegmentInvalid, match="is part of liked"):
            segments.remove(session, "pros")
        with pytest.raises(SegmentInvalid, match="names itself"):
            segments.save(session, "round", "segment:round", now=now)
        with pytest.raises(SegmentInvalid, match="a segment's name"):
            segments.save(session, "a b", "vip", now=now)
        segments.remove(session, "liked")
        segments.remove(session, "pros")
        with pytest.raises(SegmentUnknown):
            segments.remove(session, "pros")


def test_a_look_counts_once_and_never_backwards(
    database: Database, world: Newsletter, now: datetime
) -> None:
    with database.read() as session:
        found = session.execute(select(subscriptions.c.last_opened_at)).scalars()
        assert [one for one in found if one] == [now.astimezone(UTC) - timedelta(days=10)]


@pytest.mark.parametrize(
    "words",
    [
        "domain = example.org",
        "domain in (gmail.com, example.org) and not plan = pro",
        "not domain = gmail.com",
        "domain = example.org or plan = pro",
        "address = ada@gmail.com and domain = gmail.com",
    ],
)
def test_all_at_once_finds_the_same_people(
    database: Database, world: Newsletter, now: datetime, words: str
) -> None:
    with database.read() as session:
        expression = segments.read(session, words)
        found = {
            at_once: session.execute(
                select(subscribers.c.id)
                .join(subscriptions)
                .where(condition(session, expression, now=now, at_once=at_once))
                .order_by(subscribers.c.id)
            )
            .scalars()
            .all()
            for at_once in (False, True)
        }
    assert found[True] == found[False] != []


def test_a_domain_is_counted_by_its_index(sqlite_url: str, now: datetime) -> None:
    """On SQLite: PostgreSQL decides by what its tables hold."""
    database = Database(sqlite_url)
    with database.read() as session:
        question = (
            select(subscribers.c.id)
            .join(subscriptions)
            .where(
                condition(
                    session,
                    segments.read(session, "domain = example.org and joined > 2026-01-01"),
                    now=now,
                    at_once=True,
                )
            )
        ).compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {question}").all()
    database.dispose()
    assert any("ix_subscribers_domain" in row[3] for row in plan)
