"""Bounces judged anew: what would change is shown first, and people's own words stand."""

from __future__ import annotations

from sqlalchemy import update

from mailer.feedback.replay.run import change, differences
from subscribers.tables import events, newsletters, suppressions
from tests.integration.feedback.world import World


def bounced(world: World, text: str, *, times: int = 1, **fields: object) -> int:
    person = world.add_person(text)
    delivery = world.add_copy(world.add_campaign(), text, person)
    for _ in range(times):
        world.keep(world.report("bounced", delivery=world.verp(delivery), **fields))
    world.apply()
    return person


def found(world: World) -> list[tuple[str, str, str]]:
    return [(one.past.address, one.past.status, one.becomes) for one in differences(world.database)]


def test_what_stands_as_it_should_is_left(world: World) -> None:
    bounced(world, "hard@example.org")
    bounced(world, "soft@example.org", times=5, hard=False, reason="mailbox-full")
    bounced(world, "spam@example.org", reason="spam")
    assert found(world) == []


def test_a_stricter_policy_and_a_milder_one(world: World) -> None:
    soft = bounced(world, "soft@example.org", times=3, hard=False, reason="mailbox-full")
    for limit, (before, after) in {3: ("active", "bounced"), 4: ("bounced", "active")}.items():
        with world.database.write() as session:
            session.execute(update(newsletters).values(soft_bounce_limit=limit))
        assert found(world) == [("soft@example.org", before, after)]
        assert world.status(soft) == before
        assert change(world.database, [*differences(world.database)], now=world.now) == 1
        assert world.status(soft) == after
        if limit == 3:
            assert found(world) == []


def test_a_better_parser_gives_people_back(world: World) -> None:
    """As recorded by an older one, which took a full mailbox for a dead one."""
    person = bounced(world, "full@example.org")
    left = bounced(world, "left@example.org")
    world.set_status(left, "unsubscribed")
    with world.database.write() as session:
        session.execute(
            update(events)
            .where(events.c.type == "bounced")
            .values(source="mail", evidence={"text": "552 5.2.2 mailbox full, over quota"})
        )
        session.execute(update(suppressions).values(source="mail"))
    assert world.is_suppressed("full@example.org")
    assert found(world) == [("full@example.org", "bounced", "active")]
    assert change(world.database, [*differences(world.database)], now=world.now) == 1
    assert world.status(person) == "active"
    assert not world.is_suppressed("full@example.org")
    assert world.status(left) == "unsubscribed"
    assert found(world) == []
