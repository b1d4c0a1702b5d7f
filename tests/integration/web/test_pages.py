"""What readers meet: leave by one click or by the page, come back, leave again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from mailer.campaign.model import CampaignKind
from mailer.render.model import Condition, Escape, Slot, SlotKind, condition_mark, slot_mark
from subscribers import queries as people
from subscribers.token import Scope
from tests.integration.feedback.world import World, rendering
from tests.integration.web.client import Client

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Ada, with one copy of Weekly and the links in it."""

    person: int
    delivery: int
    leave: str
    preferences: str
    view: str


@pytest.fixture
def ada(world: World) -> Reader:
    person = world.add_person("ada@example.org", "weekly", "daily")
    delivery = world.add_copy(world.add_campaign(), "ada@example.org", person)
    return Reader(
        person=person,
        delivery=delivery,
        leave=f"/u/{world.token(Scope.UNSUBSCRIBE, delivery)}",
        preferences=f"/p/{world.token(Scope.PREFERENCES, delivery)}",
        view=f"/v/{world.token(Scope.VIEW, delivery)}",
    )


def heading(html: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", html)
    assert found, html
    return found[1]


def test_the_page_shows_what_one_would_leave(client: Client, world: World, ada: Reader) -> None:
    shown = client.get(ada.leave)
    assert shown.status_code == 200
    assert heading(shown.text) == "Leave Weekly?"
    assert "a…@example.org" in shown.text
    assert "ada@example.org" not in shown.text
    assert f'<form method="post" action="{ada.leave}">' in shown.text


def test_looking_changes_nothing(client: Client, world: World, ada: Reader) -> None:
    for path in (ada.leave, ada.preferences, ada.view):
        for method in ("GET", "HEAD"):
            assert client.send(method, path).status_code == 200
    assert world.status(ada.person) == "active"
    assert world.events("web") == []


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"data": ONE_CLICK}, id="urlencoded"),
        pytest.param({"files": {"List-Unsubscribe": (None, "One-Click")}}, id="multipart"),
    ],
)
def test_one_click_is_answered_200_at_once_and_again(
    client: Client, world: World, ada: Reader, form: dict[str, dict[str, str]]
) -> None:
    for _ in range(3):
        answer = client.post(ada.leave, **form)
        assert (answer.status_code, answer.text) == (200, "You get no more of Weekly.\n")
    assert world.status(ada.person) == "unsubscribed"
    assert world.status(ada.person, "daily") == "active"
    assert world.events("web") == [("unsubscribed", "unsubscribed")]


def test_whatever_else_is_posted_leaves_by_the_page(
    client: Client, world: World, ada: Reader
) -> None:
    for body in (b"", b"\xff\x00", b"a=b", b"{" * 1000, b"List-Unsubscribe=x"):
        answer = client.post(ada.leave, content=body)
        assert (answer.status_code, heading(answer.text)) == (200, "You have left Weekly")
        assert world.status(ada.person) == "unsubscribed"
        client.post(f"{ada.leave}/undo")


def test_leaving_coming_back_and_leaving_again(client: Client, world: World, ada: Reader) -> None:
    for turn in range(3):
        left = client.post(ada.leave)
        assert heading(left.text) == "You have left Weekly"
        assert f'action="{ada.leave}/undo"' in left.text
        assert world.status(ada.person) == "unsubscribed", turn
        back = client.post(f"{ada.leave}/undo")
        assert heading(back.text) == "Welcome back to Weekly"
        assert world.status(ada.person) == "active", turn
    assert client.post(f"{ada.leave}/undo").status_code == 200
    assert [kind for kind, _ in world.events("web")] == [
        "unsubscribed",
        "subscribed",
        "confirmed",
    ] * 3


def test_only_the_link_that_ended_it_brings_it_back(
    client: Client, world: World, ada: Reader
) -> None:
    other = world.add_copy(world.add_campaign(), "ada@example.org", ada.person)
    link = f"/u/{world.token(Scope.UNSUBSCRIBE, other)}"
    client.post(ada.leave)
    assert "undo" not in client.get(link).text
    client.post(f"{link}/undo")
    assert world.status(ada.person) == "unsubscribed"


def test_nobody_comes_back_to_what_they_did_not_get(client: Client, world: World) -> None:
    for was in ("pending", "bounced", "complained", "unsubscribed"):
        person = world.add_person(f"{was}@example.org")
        delivery = world.add_copy(world.add_campaign(), f"{was}@example.org", person)
        world.set_status(person, was)
        link = f"/u/{world.token(Scope.UNSUBSCRIBE, delivery)}"
        assert "undo" not in client.post(link).text
        client.post(f"{link}/undo")
        expected = "complained" if was == "complained" else "unsubscribed"
        assert world.status(person) == expected, was


def test_a_suppressed_address_does_not_come_back(client: Client, world: World, ada: Reader) -> None:
    client.post(ada.leave)
    world.suppress("ada@example.org")
    assert "undo" not in client.get(ada.leave).text
    client.post(f"{ada.leave}/undo")
    assert world.status(ada.person) == "unsubscribed"


def test_leaving_proves_that_an_unknown_copy_arrived(client: Client, world: World) -> None:
    person = world.add_person("eve@example.org")
    delivery = world.add_copy(world.add_campaign(), "eve@example.org", person, state="unknown")
    client.post(f"/u/{world.token(Scope.UNSUBSCRIBE, delivery)}", data=ONE_CLICK)
    assert world.copy(delivery)[0] == "sent"


def test_a_test_copy_says_so(client: Client, world: World) -> None:
    campaign = world.add_campaign(kind=CampaignKind.TEST)
    delivery = world.add_copy(campaign, "me@example.org", None, kind=CampaignKind.TEST)
    leave = f"/u/{world.token(Scope.UNSUBSCRIBE, delivery)}"
    for answer in (client.get(leave), client.post(leave), client.post(f"{leave}/undo")):
        assert (answer.status_code, heading(answer.text)) == (200, "A test copy")
    assert "test copy" in client.post(leave, data=ONE_CLICK).text
    preferences = f"/p/{world.token(Scope.PREFERENCES, delivery)}"
    assert "test copy" in client.get(preferences).text
    assert client.post(f"{preferences}/leave/1").status_code == 200
    assert world.events("web") == []


def test_a_link_that_is_not_ours_is_a_page_not_found(
    client: Client, world: World, ada: Reader
) -> None:
    token = ada.leave.removeprefix("/u/")
    swapped = token[:8] + ("A" if token[8] != "A" else "B") + token[9:]
    strange = ["x", token[:-1], token + "A", swapped, "%00", "%FF", "ü", "A" * 5_000, "..%2f.."]
    strange += [world.token(Scope.VIEW, ada.delivery), world.token(Scope.UNSUBSCRIBE, 10**15)]
    for bad in strange:
        for method in ("GET", "HEAD", "POST"):
            assert client.send(method, f"/u/{bad}").status_code == 404, bad
    assert world.status(ada.person) == "active"


def test_preferences_end_and_restore_one_newsletter_each(
    client: Client, world: World, ada: Reader
) -> None:
    daily = world.newsletters["daily"].id
    shown = client.get(ada.preferences).text
    assert shown.count("You get every issue.") == 2
    left = client.post(f"{ada.preferences}/leave/{daily}").text
    assert (left.count("You get every issue."), left.count("You get no issues.")) == (1, 1)
    assert (world.status(ada.person, "daily"), world.status(ada.person)) == (
        "unsubscribed",
        "active",
    )
    client.post(f"{ada.preferences}/undo/{daily}")
    assert world.status(ada.person, "daily") == "active"


def test_a_newsletter_that_is_no_number_is_a_mistake(client: Client, ada: Reader) -> None:
    for number in ("0", "-1", "x", "9" * 30, "1.5"):
        answer = client.post(f"{ada.preferences}/leave/{number}")
        assert (answer.status_code, heading(answer.text)) == (400, "This can&#39;t be understood")


def test_a_newsletter_one_has_nothing_to_do_with(client: Client, world: World, ada: Reader) -> None:
    assert client.post(f"{ada.preferences}/leave/{2**63 - 1}").status_code == 200
    assert world.events("web") == []


def test_the_front_page_names_the_newsletters_safely(client: Client, world: World) -> None:
    world.newsletters["evil"] = replace(
        world.add_newsletter("evil"), name="<script>alert(1)</script>"
    )
    with world.database.write() as session:
        people.set_newsletter(session, world.newsletters["evil"])
    shown = client.get("/").text
    assert "Weekly" in shown
    assert "Daily" in shown
    assert "<script" not in shown


def slots(nonce: str) -> tuple[str, tuple[Slot, ...], tuple[Condition, ...]]:
    html = (
        f'<p style="color:red">Dear {slot_mark(nonce, 0)},</p>'
        f"{condition_mark(nonce, 'if', 0)}secret offer{condition_mark(nonce, 'else', 0)}"
        f"the usual{condition_mark(nonce, 'end', 0)}"
        f'<a href="{slot_mark(nonce, 1)}">leave</a><a href="{slot_mark(nonce, 2)}">settings</a>'
    )
    system = {"kind": SlotKind.SYSTEM, "escape": Escape.LINK}
    return (
        html,
        (
            Slot(
                number=0,
                source='subscriber.name | default("reader")',
                kind=SlotKind.VALUE,
                escape=Escape.HTML,
            ),
            Slot(number=1, source="unsubscribe_url", **system),  # type: ignore[arg-type]
            Slot(number=2, source="preferences_url", **system),  # type: ignore[arg-type]
        ),
        (Condition(number=0, source='subscriber.attributes.plan == "pro"'),),
    )


def test_the_view_in_the_browser_is_for_nobody_in_particular(client: Client, world: World) -> None:
    html, places, conditions = slots("00c0ffee")
    person = world.add_person("ada@example.org")
    campaign = world.add_campaign(rendering(html, slots=places, conditions=conditions))
    delivery = world.add_copy(campaign, "ada@example.org", person)
    shown = client.get(f"/v/{world.token(Scope.VIEW, delivery)}")
    leave = f"https://news.example.com/u/{world.token(Scope.UNSUBSCRIBE, delivery)}"
    assert shown.text == (
        '<p style="color:red">Dear reader,</p>the usual'
        f'<a href="{leave}">leave</a><a href="{leave}">settings</a>'
    )
    assert world.token(Scope.PREFERENCES, delivery) not in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
