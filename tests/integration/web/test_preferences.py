"""What people set about themselves, and their data, behind links that only they get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from subscribers import audience
from subscribers.database import metadata
from subscribers.tables import subscribers
from subscribers.token import Scope
from tests.integration.feedback.world import World
from tests.integration.notice.post import mails, said, send_waiting
from tests.integration.web.client import Client
from tests.integration.web.test_subscribe import link
from tests.services.smtp import SmtpSink


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Ada, with a copy of Weekly."""

    person: int
    path: str
    leave: str


@pytest.fixture
def ada(world: World) -> Reader:
    # The gate asks the database's own clock.
    world.now = datetime.now(UTC)
    person = world.add_person("ada@example.org", "weekly", "daily")
    delivery = world.add_copy(world.add_campaign(), "ada@example.org", person)
    return Reader(
        person=person,
        path=f"/p/{world.token(Scope.PREFERENCES, delivery)}",
        leave=f"/u/{world.token(Scope.UNSUBSCRIBE, delivery)}",
    )


def counted(world: World, slug: str = "weekly") -> tuple[int, dict[str, int]]:
    with world.database.read() as session:
        found = audience.count(session, world.newsletters[slug].id)
        return found.size, {str(why): n for why, n in found.excluded.items()}


def test_less_often_is_a_pause_that_ends(client: Client, world: World, ada: Reader) -> None:
    weekly = world.newsletters["weekly"].id
    shown = client.post(f"{ada.path}/pause/{weekly}", data={"span": "2w"}).text
    assert f"Nothing is sent until {world.now + timedelta(weeks=2):%Y-%m-%d}." in shown
    assert counted(world) == (0, {"paused": 1})
    assert counted(world, "daily") == (1, {})
    assert "Go on now" in client.get(ada.path).text
    client.post(f"{ada.path}/pause/{weekly}", data={"span": "none"})
    assert counted(world) == (1, {})
    assert client.post(f"{ada.path}/pause/{weekly}", data={"span": "forever"}).status_code == 400


def test_name_language_and_zone_are_kept_and_cleaned(
    client: Client, world: World, ada: Reader
) -> None:
    told = {"name": " Ada\r\n <b>L.</b> ", "language": "zh", "timezone": "Asia/Tokyo"}
    shown = client.post(f"{ada.path}/about", data=told).text
    assert "<b>" not in shown
    with world.database.read() as session:
        row = session.execute(select(subscribers)).one()
    assert (row.name, row.language, row.timezone) == ("Ada <b>L.</b>", "zh", "Asia/Tokyo")
    client.post(f"{ada.path}/about", data={"language": "tlh", "timezone": "../../etc/passwd"})
    with world.database.read() as session:
        row = session.execute(select(subscribers)).one()
    assert (row.name, row.language, row.timezone) == ("", None, None)


def test_a_page_says_goodbye_and_one_click_does_not(
    client: Client, world: World, ada: Reader, smtp_sink: SmtpSink
) -> None:
    client.post(ada.leave, data={"List-Unsubscribe": "One-Click"})
    send_waiting(world, smtp_sink)
    assert mails(smtp_sink) == []
    client.post(f"{ada.leave}/undo")
    client.post(ada.leave)
    client.post(ada.leave)
    send_waiting(world, smtp_sink)
    assert [mail["subject"] for mail in mails(smtp_sink)] == ["You have left Weekly"]


def test_ones_data_come_by_mail_and_hold_everything(
    client: Client, world: World, ada: Reader, smtp_sink: SmtpSink
) -> None:
    for _ in range(3):
        assert "is on its way to a…@example.org" in client.post(f"{ada.path}/data").text
    send_waiting(world, smtp_sink)
    (mail,) = mails(smtp_sink)
    page = link(said(mail), "/d/")
    assert "ada@example.org" in client.get(page).text
    given = client.get(f"{page}/data.json")
    assert given.headers["content-disposition"].startswith("attachment")
    told = json.loads(given.text)
    assert told["person"]["address"] == "ada@example.org"
    assert {p["newsletter"] for p in told["subscriptions"]} == {"Weekly", "Daily"}
    assert [m["kind"] for m in told["messages"]] == ["issue", "notice"]
    assert told["consents"]
    assert told["events"]
    world.now += timedelta(days=9)
    assert client.get(page).status_code == 404


def test_erasing_asks_twice_and_leaves_nothing(
    client: Client, world: World, ada: Reader, smtp_sink: SmtpSink
) -> None:
    client.post(f"{ada.path}/erase")
    send_waiting(world, smtp_sink)
    (mail,) = mails(smtp_sink)
    page = link(said(mail), "/e/")
    assert "Erase everything about you?" in client.get(page).text
    assert counted(world)[0] == 1
    assert "You are erased" in client.post(page).text
    assert "You are erased" in client.post(page).text
    assert counted(world)[0] == 0
    assert world.is_suppressed("ada@example.org")
    with world.database.read() as session:
        dump = [
            str([*row])
            for table in metadata.sorted_tables
            for row in session.execute(select(table))
        ]
    assert not any("ada@" in row for row in dump)
    assert client.get(ada.path).status_code == 200


def test_a_copy_passed_on_shows_no_data_and_erases_nobody(
    client: Client, world: World, ada: Reader
) -> None:
    token = ada.path.removeprefix("/p/")
    for path in (f"/d/{token}", f"/d/{token}/data.json", f"/e/{token}"):
        assert client.get(path).status_code == 404
    assert client.post(f"/e/{token}").status_code == 404
    assert "ada@example.org" not in client.get(ada.path).text
