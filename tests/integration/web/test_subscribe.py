"""Subscribing: one answer for everybody, one mail to confirm, and then every issue."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, event, select

from mailer.campaign.tables import campaigns
from mailer.delivery.plan import plan
from mailer.delivery.tables import chunks, deliveries
from mailer.feedback.join import apply_signups
from mailer.notice.language import KNOWN
from mailer.web.app import create_app
from mailer.web.services import WebServices
from mailer.web.visit import post_of
from subscribers import queries as people
from subscribers.address import parse
from subscribers.signup.model import Limits
from subscribers.signup.tables import signups
from subscribers.tables import consents, subscribers
from subscribers.token import Scope
from tests.integration.feedback.world import World
from tests.integration.notice.post import mails, said, send_waiting
from tests.integration.web.client import Client
from tests.services.smtp import SmtpSink

#: Somebody for every way in which an address may be known, or not.
PEOPLE = ("new", "pending", "active", "left", "complained", "suppressed")


@pytest.fixture
def crowd(world: World) -> World:
    """One person in each state, and one who is suppressed."""
    for name in PEOPLE[1:-1]:
        person = world.add_person(f"{name}@example.org")
        status = {"left": "unsubscribed"}.get(name, name)
        world.set_status(person, status)
    world.suppress("suppressed@example.org")
    return world


def ask(client: Client, text: str, slug: str = "weekly", **more: str) -> httpx.Response:
    return client.post(f"/s/{slug}", data={"address": text, **more})


def look_at_requests(services: WebServices) -> int:
    """What the applier does in the background."""
    return apply_signups(
        services.database,
        post_of(services),
        limits=services.signup_limits,
        now=services.clock(),
    )


def results(world: World) -> list[str | None]:
    with world.database.read() as session:
        return [*session.execute(select(signups.c.result).order_by(signups.c.id)).scalars()]


def due(world: World) -> list[timedelta]:
    """How long each confirmation waits before it may leave."""
    with world.database.read() as session:
        moments = session.execute(select(chunks.c.due_at).order_by(chunks.c.id)).scalars()
        return [moment - world.now for moment in moments]


def link(text: str, path: str) -> str:
    found = re.search(rf"<https://news\.example\.com({path}[^>]+)>", text)
    assert found, text
    return found[1]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Every statement executed meanwhile."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_from_the_form_to_the_first_issue(
    client: Client, services: WebServices, world: World, smtp_sink: SmtpSink
) -> None:
    form = client.get("/s/weekly")
    assert form.status_code == 200
    assert '<form method="post" action="/s/weekly">' in form.text
    assert "Look into your mailbox" in ask(client, "ada@example.org").text
    assert look_at_requests(services) == 1
    send_waiting(world, smtp_sink)
    (question,) = mails(smtp_sink)
    confirm = link(said(question), "/c/")

    for method in ("GET", "HEAD"):
        assert client.send(method, confirm).status_code == 200
    person = person_of(world, "ada@example.org")
    assert world.status(person) == "pending"

    assert "Welcome to Weekly" in client.post(confirm).text
    assert world.status(person) == "active"
    send_waiting(world, smtp_sink)
    welcome = mails(smtp_sink)[1]
    assert welcome["subject"] == "Welcome to Weekly"
    assert client.get(link(said(welcome), "/p/")).status_code == 200

    issue = world.add_campaign()
    with world.database.write() as session:
        session.execute(campaigns.update().where(campaigns.c.id == issue).values(state="planning"))
    plan(world.database, issue, now=world.now, chunk_size=10)
    with world.database.read() as session:
        (planned,) = session.execute(
            select(deliveries.c.subscriber_id).where(deliveries.c.campaign_id == issue)
        ).scalars()
    assert planned == person


def person_of(world: World, text: str) -> int:
    with world.database.read() as session:
        return people.find(session, parse(text)).id


def test_everybody_gets_the_same_answer_after_the_same_work(client: Client, crowd: World) -> None:
    ask(client, "warm.up@example.org")
    answers, work = set(), set()
    for name in PEOPLE:
        with statements(crowd.database.engine) as seen:
            answer = ask(client, f"{name}@example.org")
        del answer.headers["x-request-id"]  # drawn anew for each request, whoever asks
        answers.add((answer.status_code, answer.text, tuple(sorted(answer.headers.items()))))
        work.add(tuple(seen))
    assert len(answers) == 1
    assert len(work) == 1
    assert any("INSERT INTO signups" in statement for statement in work.pop())


def test_only_who_may_be_asked_is_asked(
    client: Client, services: WebServices, crowd: World, smtp_sink: SmtpSink
) -> None:
    for name in PEOPLE:
        ask(client, f"{name}@example.org")
    look_at_requests(services)
    send_waiting(crowd, smtp_sink)
    assert sorted(mail["to"] for mail in mails(smtp_sink)) == [
        f"{name}@example.org" for name in ("left", "new", "pending")
    ]
    assert {mail["subject"] for mail in mails(smtp_sink)} == {"Please confirm: Weekly"}


def test_the_consent_is_on_record(client: Client, services: WebServices, world: World) -> None:
    ask(client, "ada@example.org")
    look_at_requests(services)
    with world.database.read() as session:
        (kept,) = session.execute(select(consents)).all()
        (body,) = session.execute(select(signups.c.body)).scalars()
    assert kept.action == "requested"
    assert kept.evidence == {
        "form": "/s/weekly",
        "words": "By subscribing I agree to get Weekly by e-mail. I can leave at any time.",
        "network": "127.0.0.0/24",
    }
    assert body == {}


def test_single_opt_in_is_welcomed_at_once(
    client: Client, services: WebServices, world: World, smtp_sink: SmtpSink
) -> None:
    ask(client, "ada@example.org", "daily")
    ask(client, "ada@example.org", "daily")
    look_at_requests(services)
    send_waiting(world, smtp_sink)
    assert [mail["subject"] for mail in mails(smtp_sink)] == ["Welcome to Daily"]


def test_a_flood_makes_one_mail_an_hour_and_few_a_day(
    services: WebServices, world: World, smtp_sink: SmtpSink
) -> None:
    world.add_newsletter("monthly")
    client = at(services, limits=Limits(per_network=1000))
    for hour in range(12):
        for _ in range(10):
            ask(client, "victim@example.org")
            ask(client, "victim@example.org", "monthly")
        look_at_requests(services)
        if hour == 0:
            # Two newsletters: the second question waits for its hour.
            assert due(world) == [timedelta(0), timedelta(hours=1)]
        world.now += timedelta(hours=1)
    assert len(due(world)) == 5
    gaps = sorted(due(world))
    assert all(later - sooner >= timedelta(hours=1) for sooner, later in itertools.pairwise(gaps))


def test_a_network_is_stopped_whatever_it_types(services: WebServices, world: World) -> None:
    client = at(services, limits=Limits(per_network=3))
    for n in range(3):
        assert ask(client, f"n{n}@example.org").status_code == 200
    for text in ("n0@example.org", "other@example.org"):
        answer = ask(client, text)
        assert answer.status_code == 429
        assert "Try again in an hour" in answer.text
    assert ask(
        at(services, limits=Limits(per_network=3), host="198.51.100.7"), "a@b.org"
    ).is_success
    world.now += timedelta(hours=2)
    assert ask(client, "other@example.org").status_code == 200


def at(services: WebServices, *, limits: Limits, host: str = "127.0.0.1") -> Client:
    app = create_app(replace(services, signup_limits=limits))
    return Client(httpx.ASGITransport(app=app, client=(host, 1)))


def test_a_machine_is_answered_alike_and_forgotten(
    client: Client, services: WebServices, world: World
) -> None:
    human = ask(client, "ada@example.org")
    machine = ask(client, "bot@example.org", website="https://spam.example")
    assert (machine.status_code, machine.text) == (human.status_code, human.text)
    assert look_at_requests(services) == 1
    assert results(world) == ["asked to confirm", "ignored: filled in by a machine"]
    with world.database.read() as session:
        assert [*session.execute(select(subscribers.c.address)).scalars()] == ["ada@example.org"]


def test_a_stranger_changes_nothing_about_a_known_person(
    client: Client, services: WebServices, world: World
) -> None:
    person = world.add_person("ada@example.org")
    world.set_status(person, "unsubscribed")
    client.post("/s/weekly", data={"address": "ADA@example.org"}, headers={"accept-language": "ar"})
    look_at_requests(services)
    with world.database.read() as session:
        row = session.execute(select(subscribers)).one()
    assert (row.language, row.name) == (None, "")


@pytest.mark.parametrize(
    "typed", ["", "no address", "a@b@c", "a\r\nBcc: x@y.z", "x" * 300 + "@y.z"]
)
def test_what_is_no_address_is_told_so(client: Client, world: World, typed: str) -> None:
    answer = ask(client, typed)
    assert answer.status_code == 400
    assert "This is no e-mail address" in answer.text
    assert results(world) == []


def test_one_link_confirms_once(
    client: Client, services: WebServices, world: World, smtp_sink: SmtpSink
) -> None:
    ask(client, "ada@example.org")
    look_at_requests(services)
    send_waiting(world, smtp_sink)
    confirm = link(said(mails(smtp_sink)[0]), "/c/")
    client.post(confirm)
    assert "Welcome" in client.post(confirm).text
    person = person_of(world, "ada@example.org")
    world.set_status(person, "unsubscribed")
    assert "works no more" in client.post(confirm).text
    # Somebody types the address again: the old mail is still worth nothing.
    world.now += timedelta(hours=2)
    ask(client, "ada@example.org")
    look_at_requests(services)
    assert world.status(person) == "pending"
    assert "works no more" in client.post(confirm).text
    assert world.status(person) == "pending"


def test_an_old_or_foreign_link_confirms_nothing(
    client: Client, services: WebServices, world: World, smtp_sink: SmtpSink
) -> None:
    ask(client, "ada@example.org")
    look_at_requests(services)
    send_waiting(world, smtp_sink)
    confirm = link(said(mails(smtp_sink)[0]), "/c/")
    issue = world.add_copy(world.add_campaign(), "eve@example.org", None)
    assert client.post(f"/c/{world.token(Scope.UNSUBSCRIBE, issue)}").status_code == 404
    world.now += timedelta(days=31)
    assert "works no more" in client.get(confirm).text
    assert "works no more" in client.post(confirm).text
    assert world.status(person_of(world, "ada@example.org")) == "pending"


def test_json_for_scripts_of_any_site(client: Client, services: WebServices, world: World) -> None:
    asked = client.post("/api/subscribe", json={"newsletter": "weekly", "address": "a@b.org"})
    assert (asked.status_code, asked.json()["status"]) == (202, "kept")
    assert asked.headers["access-control-allow-origin"] == "*"
    wrong = client.post("/api/subscribe", json={"newsletter": "weekly", "address": "a"})
    assert (wrong.status_code, wrong.json()["status"]) == (400, "invalid")
    for path, body, status in (
        ("/api/subscribe", {"newsletter": "no", "address": "a@b.org"}, 404),
        ("/api/subscribe", {"address": "a@b.org"}, 400),
    ):
        refused = client.post(path, json=body)
        assert (refused.status_code, refused.json()["status"]) == (status, "failed")
        assert refused.headers["access-control-allow-origin"] == "*"
    before = client.send("OPTIONS", "/api/subscribe")
    assert before.headers["access-control-allow-methods"] == "POST"
    assert look_at_requests(services) == 1


def test_only_the_framed_form_may_be_framed(client: Client, world: World) -> None:
    for path, framers in (("/s/weekly", "'none'"), ("/s/weekly/embed", "*")):
        policy = client.get(path).headers["content-security-policy"]
        assert f"frame-ancestors {framers}" in policy
    done = client.post("/s/weekly/embed", data={"address": "ada@example.org"})
    assert "frame-ancestors *" in done.headers["content-security-policy"]
    assert "Look into your mailbox" in done.text


def test_the_form_to_copy_is_shown_as_text(client: Client, world: World) -> None:
    shown = client.get("/s/weekly/form").text
    assert "&lt;form method=&#34;post&#34; action=&#34;https://news.example.com/s/weekly" in shown


@pytest.mark.parametrize("lang", KNOWN)
def test_pages_speak_the_readers_language(client: Client, world: World, lang: str) -> None:
    pages = [
        client.get(path, headers={"accept-language": f"xx, {lang}-XY;q=0.8, en;q=0.1"}).text
        for path in ("/", "/s/weekly", "/s/weekly/form", "/c/nonsense")
    ]
    side = "rtl" if lang == "ar" else "ltr"
    assert all(f'<html lang="{lang}" dir="{side}">' in page for page in pages)


def test_an_unknown_newsletter_has_no_form(client: Client, world: World) -> None:
    assert client.get("/s/nothing").status_code == 404
    assert ask(client, "ada@example.org", "nothing").status_code == 404
