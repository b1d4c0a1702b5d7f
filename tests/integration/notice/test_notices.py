"""Notices go the way of an issue's copies, and to those whom no issue may reach."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.tables import campaigns
from mailer.delivery import ledger as books
from mailer.delivery.tables import chunks
from mailer.notice.language import KNOWN
from mailer.notice.model import Notice
from mailer.notice.owner import alarm
from mailer.notice.send import Post, send
from subscribers import address
from subscribers import queries as people
from subscribers.database import Database
from subscribers.tables import subscribers
from tests.integration.feedback.world import World
from tests.integration.notice.post import ledger, mails, said, send_waiting
from tests.services.smtp import SmtpSink


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    database = Database(database_url)
    made = World(database=database)
    made.add_newsletter("weekly")
    yield made
    database.dispose()


def ask(world: World, text: str) -> None:
    """Subscribe an address that has not confirmed."""
    with world.database.write() as session:
        people.add(
            session,
            address.parse(text),
            world.newsletters["weekly"],
            keyring=world.keyring,
            now=world.now,
            confirmed=False,
        )


def notify(world: World, notice: Notice, text: str) -> int | None:
    with world.database.write() as session:
        return send(
            session,
            notice,
            world.newsletters["weekly"],
            people.find(session, address.parse(text)),
            post=Post(keyring=world.keyring, public_url="https://news.example.com"),
            now=world.now,
        )


def editions(world: World) -> list[tuple[int, str, int]]:
    with world.database.read() as session:
        rows = session.execute(
            select(campaigns.c.edition, campaigns.c.state, campaigns.c.audience).order_by(
                campaigns.c.id
            )
        )
        return [(row.edition, row.state, row.audience) for row in rows]


def test_a_confirmation_reaches_somebody_who_is_only_pending(
    world: World, smtp_sink: SmtpSink
) -> None:
    ask(world, "ada@example.org")
    notify(world, Notice.CONFIRM, "ada@example.org")
    send_waiting(world, smtp_sink)
    (mail,) = mails(smtp_sink)
    assert mail["to"] == "ada@example.org"
    assert mail["subject"] == "Please confirm: Weekly"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["list-unsubscribe"] is None
    assert mail["list-unsubscribe-post"] is None
    assert "<https://news.example.com/c/" in said(mail)
    html = mail.get_body(("html",))
    assert html is not None
    assert 'href="https://news.example.com/c/' in html.get_content()
    assert ledger(world) == [("sent", None)]


def test_a_notice_waits_while_the_relay_refuses_us_and_goes_when_that_is_mended(
    world: World, smtp_sink: SmtpSink
) -> None:
    ask(world, "ada@example.org")
    notify(world, Notice.CONFIRM, "ada@example.org")
    closed = SmtpSink(login=("ann", "secret"))
    closed.start()
    try:
        send_waiting(world, closed, username="ann", password="wrong")
    finally:
        closed.stop()
    assert [state for _, state, _ in editions(world)] == ["sending"]
    assert ledger(world) == [("queued", None)]
    with world.database.write() as session:
        # The wait is over.
        session.execute(update(chunks).values(due_at=world.now))
    send_waiting(world, smtp_sink)
    assert [mail["to"] for mail in mails(smtp_sink)] == ["ada@example.org"]


def test_a_goodbye_reaches_somebody_who_has_left(world: World, smtp_sink: SmtpSink) -> None:
    person = world.add_person("ada@example.org")
    with world.database.write() as session:
        people.unsubscribe(session, person, world.newsletters["weekly"], now=world.now)
    notify(world, Notice.GOODBYE, "ada@example.org")
    send_waiting(world, smtp_sink)
    (mail,) = mails(smtp_sink)
    assert "<https://news.example.com/s/weekly>" in said(mail)


def test_no_notice_goes_to_a_suppressed_or_complaining_address(
    world: World, smtp_sink: SmtpSink
) -> None:
    for name in ("ada", "bob"):
        world.add_person(f"{name}@example.org")
        notify(world, Notice.DATA, f"{name}@example.org")
    world.suppress("ada@example.org")
    with world.database.write() as session:
        people.remove(
            session, address.parse("bob@example.org"), keyring=world.keyring, now=world.now
        )
    send_waiting(world, smtp_sink)
    assert smtp_sink.received == []
    assert ledger(world) == [("skipped", "suppressed"), ("skipped", "erased")]


def test_the_same_notice_again_is_another_edition(world: World, smtp_sink: SmtpSink) -> None:
    for text in ("ada@example.org", "bob@example.org"):
        ask(world, text)
        notify(world, Notice.CONFIRM, text)
    notify(world, Notice.CONFIRM, "ada@example.org")
    assert editions(world) == [(0, "sending", 2), (1, "sending", 1)]
    send_waiting(world, smtp_sink)
    assert len(smtp_sink.copies("ada@example.org")) == 2
    assert len({mail["message-id"] for mail in mails(smtp_sink)}) == 3


def test_a_campaign_of_notices_stays_open_for_its_day_and_balances(
    world: World, smtp_sink: SmtpSink
) -> None:
    ask(world, "ada@example.org")
    notify(world, Notice.CONFIRM, "ada@example.org")
    send_waiting(world, smtp_sink)
    with world.database.write() as session:
        assert books.finish_complete(session, now=world.now) == []
        balance = books.balance(session, 1)
        assert balance.balances
        assert balance.closed
        assert books.finish_complete(session, now=world.now + timedelta(days=3)) == [1]


def test_new_notices_do_not_wait_with_late_ones_but_with_held_ones(world: World) -> None:
    for text in ("ada@example.org", "bob@example.org", "eve@example.org"):
        ask(world, text)
    notify(world, Notice.CONFIRM, "ada@example.org")
    world.now += timedelta(minutes=1)
    with world.database.write() as session:
        campaign_queries.pause(session, 1, reason="the relay refuses the login", now=world.now)
    notify(world, Notice.CONFIRM, "bob@example.org")
    assert editions(world) == [(0, "paused", 2)]
    with world.database.write() as session:
        session.execute(update(campaigns).values(pause_reason="late: nothing drove it"))
        assert [c.id for c in campaign_queries.newest_first(session)] == [1]
    notify(world, Notice.CONFIRM, "eve@example.org")
    assert editions(world) == [(0, "paused", 2), (1, "sending", 1)]


@pytest.mark.parametrize("lang", KNOWN)
@pytest.mark.parametrize("notice", [n for n in Notice if n is not Notice.ALARM])
def test_every_notice_speaks_the_readers_language(
    sqlite_url: str, smtp_sink: SmtpSink, notice: Notice, lang: str
) -> None:
    world = World(database=Database(sqlite_url))
    world.add_newsletter("weekly")
    world.add_person("ada@example.org")
    with world.database.write() as session:
        session.execute(update(subscribers).values(language=f"{lang}-XX"))
    notify(world, notice, "ada@example.org")
    send_waiting(world, smtp_sink)
    (mail,) = mails(smtp_sink)
    html = mail.get_body(("html",))
    assert html is not None
    page = html.get_content()
    assert f'<html lang="{lang}" dir="{"rtl" if lang == "ar" else "ltr"}">' in page
    assert "Weekly" in mail["subject"]
    assert "{" not in said(mail) + str(mail["subject"])
    assert "1 Road" in said(mail)
    world.database.dispose()


def test_an_alarm_tells_the_owner_what_to_do(world: World, smtp_sink: SmtpSink) -> None:
    with world.database.write() as session:
        alarm(
            session,
            world.newsletters["weekly"],
            what="Campaign 7 is paused",
            details=["5 % of <b>copies</b> bounced", "{next} of them in gmail"],
            command="mailer campaign resume 7",
            keyring=world.keyring,
            now=world.now,
        )
    send_waiting(world, smtp_sink)
    (mail,) = mails(smtp_sink)
    assert mail["to"] == "weekly@example.com"
    assert mail["subject"] == "Weekly: Campaign 7 is paused"
    assert "Next: mailer campaign resume 7" in said(mail)
    assert "{next} of them in gmail" in said(mail)
    html = mail.get_body(("html",))
    assert html is not None
    assert "&lt;b&gt;copies" in html.get_content()
