"""Who looks at nothing any more is asked by mail; who answers stays, who does not may leave."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from mailer.notice.send import Post
from mailer.notice.sunset import Silence, Sunset
from subscribers import queries as people
from subscribers.address import parse
from subscribers.tables import subscriptions
from tests.integration.feedback.world import World
from tests.integration.notice.post import mails, said, send_waiting
from tests.integration.web.client import Client
from tests.integration.web.test_subscribe import link
from tests.services.smtp import SmtpSink


@pytest.fixture
def sunset(world: World) -> Sunset:
    """Three who joined long ago: one reads, two have not for two years."""
    for name, looked in (("reader", 10), ("ada", 700), ("eve", 700)):
        person = world.add_person(f"{name}@example.org")
        with world.database.write() as session:
            session.execute(
                update(subscriptions)
                .where(subscriptions.c.subscriber_id == person)
                .values(
                    joined_at=world.now - timedelta(days=900),
                    last_opened_at=world.now - timedelta(days=looked),
                )
            )
    return later(world, timedelta(0))


def later(world: World, span: timedelta) -> Sunset:
    """The same, asked after a span of time."""
    world.now += span
    return Sunset(
        newsletter=world.newsletters["weekly"],
        after=timedelta(days=365),
        grace=timedelta(days=14),
        now=world.now,
    )


def silence(world: World, wanted: Sunset) -> Silence:
    with world.database.read() as session:
        return wanted.count(session)


def standing(world: World, name: str) -> str:
    with world.database.read() as session:
        return world.status(people.find(session, parse(f"{name}@example.org")).id)


def test_the_silent_are_asked_and_who_answers_stays(
    client: Client, world: World, sunset: Sunset, smtp_sink: SmtpSink
) -> None:
    post = Post(keyring=world.keyring, public_url="https://news.example.com")
    assert silence(world, sunset) == Silence(silent=2, asked=0, over=0)
    assert sunset.end(world.database) == 0, "nobody ends unasked"
    assert sunset.ask(world.database, post) == 2
    assert sunset.ask(world.database, post) == 0, "each is asked once"
    assert silence(world, sunset) == Silence(silent=2, asked=2, over=0)
    later_on = later(world, timedelta(days=15))
    assert later_on.end(world.database) == 0, "what never left is no question"
    world.now -= timedelta(days=15)
    send_waiting(world, smtp_sink)
    assert {mail["to"] for mail in mails(smtp_sink)} == {"ada@example.org", "eve@example.org"}
    assert {mail["subject"] for mail in mails(smtp_sink)} == {"Do you still want Weekly?"}
    adas = next(mail for mail in mails(smtp_sink) if mail["to"] == "ada@example.org")

    page = link(said(adas), "/c/")
    for method in ("GET", "HEAD"):
        assert client.send(method, page).status_code == 200
    assert silence(world, sunset).silent == 2, "looking changes nothing"
    assert "Keep sending it" in client.get(page).text
    for _ in range(2):
        assert "you go on getting every issue" in client.post(page).text
    with world.database.read() as session:
        known = people.show(session, parse("ada@example.org"), keyring=world.keyring)
    assert [one.action for one in known.consents] == ["requested", "confirmed", "confirmed"]

    wanted = later(world, timedelta(days=15))
    assert silence(world, wanted) == Silence(silent=1, asked=1, over=1)
    assert wanted.end(world.database) == 1
    assert [standing(world, name) for name in ("reader", "ada", "eve")] == [
        "active",
        "active",
        "unsubscribed",
    ]
    eves = next(mail for mail in mails(smtp_sink) if mail["to"] == "eve@example.org")
    answer = client.post(link(said(eves), "/c/"))
    assert "This link works no more" in answer.text
    assert standing(world, "eve") == "unsubscribed"
