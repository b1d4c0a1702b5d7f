"""The links in a copy that went by another newsletter's consent: that is the one to leave."""

from __future__ import annotations

from subscribers.token import Scope
from tests.integration.feedback.world import World
from tests.integration.web.client import Client
from tests.integration.web.test_pages import ONE_CLICK, heading


def test_one_click_and_the_page_leave_the_newsletter_that_was_agreed_to(
    client: Client, world: World
) -> None:
    person = world.add_person("ada@example.org", "weekly", "daily")
    delivery = world.add_copy(world.add_campaign(), "ada@example.org", person, by="daily")
    link = f"/u/{world.token(Scope.UNSUBSCRIBE, delivery)}"
    assert heading(client.get(link).text) == "Leave Daily?"
    answer = client.post(link, data=ONE_CLICK)
    assert (answer.status_code, answer.text) == (200, "You get no more of Daily.\n")
    assert (world.status(person), world.status(person, "daily")) == ("active", "unsubscribed")
    assert heading(client.post(f"{link}/undo").text) == "Welcome back to Daily"
    assert heading(client.post(link).text) == "You have left Daily"
    assert (world.status(person), world.status(person, "daily")) == ("active", "unsubscribed")
    shown = client.get(f"/p/{world.token(Scope.PREFERENCES, delivery)}").text
    assert (shown.count("You get every issue."), shown.count("You get no issues.")) == (1, 1)
    assert client.get(f"/v/{world.token(Scope.VIEW, delivery)}").status_code == 200
