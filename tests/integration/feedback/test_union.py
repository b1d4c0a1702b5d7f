"""What comes back for a copy that went by another newsletter's consent is about that one."""

from __future__ import annotations

from sqlalchemy import select

from mailer.feedback import queries
from mailer.feedback.leave import Answer, Way, come_back, leave
from mailer.feedback.model import Copy
from subscribers.tables import events, subscriptions
from tests.integration.feedback.world import World


def copies(world: World) -> tuple[int, int, int]:
    """Ada reads both; a copy each of two campaigns of Weekly: by Daily's consent and by its own."""
    person = world.add_person("ada@example.org", "weekly", "daily")
    by_daily = world.add_copy(world.add_campaign(), "ada@example.org", person, by="daily")
    by_weekly = world.add_copy(world.add_campaign(), "ada@example.org", person)
    return person, by_daily, by_weekly


def copy_of(world: World, delivery_id: int) -> Copy:
    with world.database.read() as session:
        copy = queries.copy_of(session, delivery_id)
    assert copy is not None
    return copy


def test_leaving_and_coming_back_is_from_the_newsletter_that_was_agreed_to(world: World) -> None:
    person, by_daily, by_weekly = copies(world)
    copy = copy_of(world, by_daily)
    assert (copy.newsletter_id, copy.newsletter) == (world.newsletters["daily"].id, "Daily")
    assert copy_of(world, by_weekly).newsletter == "Weekly"

    def places() -> tuple[str, str]:
        return world.status(person), world.status(person, "daily")

    for act, answer, then in (
        (leave, Answer.LEFT, ("active", "unsubscribed")),
        (leave, Answer.NO_CHANGE, ("active", "unsubscribed")),
        (come_back, Answer.BACK, ("active", "active")),
    ):
        with world.database.write() as session:
            done = act(session, copy, copy.newsletter_id, Way.ONE_CLICK, now=world.now)
        assert (done, places()) == (answer, then)


def test_what_is_reported_is_recorded_of_that_newsletter(world: World) -> None:
    daily = world.newsletters["daily"].id
    expected = []
    for kind in ("complained", "bounced", "unsubscribed"):
        text = f"{kind}@example.org"
        person = world.add_person(text, "weekly", "daily")
        delivery = world.add_copy(world.add_campaign(), text, person, by="daily")
        soft = {"hard": False, "reason": "mailbox-full"} if kind == "bounced" else {}
        world.keep(world.report(kind, delivery=world.verp(delivery), **soft))
        expected.append((kind, daily, delivery))
    world.apply()
    with world.database.read() as session:
        rows = session.execute(
            select(events.c.type, events.c.newsletter_id, events.c.delivery_id)
            .where(events.c.source == "generic")
            .order_by(events.c.id)
        )
        assert [tuple(row) for row in rows] == expected
        bounces = session.execute(
            select(subscriptions.c.newsletter_id).where(subscriptions.c.soft_bounces > 0)
        )
        assert [*bounces.scalars()] == [daily]
