"""Other content for what has not started: whole, or not at all, whoever is at it."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, CampaignState
from mailer.campaign.replace.difference import difference
from mailer.campaign.replace.replace import check, replace
from mailer.errors import AlreadyScheduled, CampaignRefused
from mailer.render.model import Rendering
from subscribers import queries as people
from subscribers.database import Database
from subscribers.model import Newsletter
from tests.integration.delivery.conftest import LATE, World, simple_rendering


def seen(world: World, campaign: int) -> Campaign:
    with world.database.read() as session:
        return campaign_queries.get(session, campaign)


def newsletter(world: World) -> Newsletter:
    with world.database.read() as session:
        return people.newsletter(session, world.newsletter_id)


def content(world: World, campaign: int) -> Rendering:
    with world.database.read() as session:
        return campaign_queries.rendering_of(session, campaign)


def swap(world: World, looked: Campaign, words: str) -> None:
    with world.database.write() as session:
        replace(session, looked, simple_rendering(words), newsletter=newsletter(world))


def start(world: World) -> list[int]:
    with world.database.write() as session:
        return campaign_queries.start_due(session, now=world.now, late_after=LATE)


def test_what_has_not_started_gets_the_new_content_and_keeps_the_rest(world: World) -> None:
    campaign = world.add_campaign(words="Old", number=30)
    before = seen(world, campaign)
    swap(world, before, "New")
    after = seen(world, campaign)
    assert content(world, campaign).text == "New"
    assert (after.subject, after.checksum) == ("New", content(world, campaign).checksum)
    assert (after.due_at, after.issue_number, after.edition) == (before.due_at, 30, 0)
    # Also one that is held before it starts.
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="by hand", now=world.now, by_hand=True)
    swap(world, seen(world, campaign), "Newer")
    assert content(world, campaign).text == "Newer"


def test_what_has_started_is_left_alone_with_the_remedy(world: World) -> None:
    campaign = world.add_campaign(words="Old")
    looked = seen(world, campaign)
    assert start(world) == [campaign]
    with pytest.raises(CampaignRefused, match=rf"mailer campaign correct {campaign} FILE"):
        swap(world, looked, "New")
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="by hand", now=world.now)
    with pytest.raises(CampaignRefused, match=r"has started \(paused\)"):
        swap(world, looked, "New")
    assert content(world, campaign).text == "Old"
    assert seen(world, campaign).subject == "Old"


def test_a_cancelled_one_and_another_issue_are_refused(world: World) -> None:
    campaign = world.add_campaign(number=30)
    for number in (31, None):
        with pytest.raises(CampaignRefused, match="is issue 30, and the file is"):
            check(seen(world, campaign), issue_number=number)
    with world.database.write() as session:
        campaign_queries.cancel(session, campaign, now=world.now)
    with pytest.raises(CampaignRefused, match="is cancelled; `mailer campaign schedule"):
        check(seen(world, campaign), issue_number=30)


def test_a_second_one_who_looked_before_the_first_is_told(world: World) -> None:
    campaign = world.add_campaign(words="Old")
    looked = seen(world, campaign)
    swap(world, looked, "New")
    with pytest.raises(CampaignRefused, match="changed in this moment; look again"):
        swap(world, looked, "Mine")
    assert content(world, campaign).text == "New"


def test_content_that_another_campaign_has_is_refused(world: World) -> None:
    other = world.add_campaign(words="Taken")
    campaign = world.add_campaign(words="Old")
    with pytest.raises(AlreadyScheduled, match=f"campaign {other} already"):
        swap(world, seen(world, campaign), "Taken")
    assert content(world, campaign).text == "Old"


def test_one_that_goes_out_again_still_leaves_out_who_has_a_copy(world: World) -> None:
    world.add_people("a@example.com")
    first = world.add_campaign(words="Old", number=30)
    world.plan(first)
    world.add_people("b@example.com")
    again = world.add_campaign(words="Old", number=30, edition=1, leave_out=(first,))
    swap(world, seen(world, again), "New")
    world.plan(again)
    assert seen(world, again).audience == 1


def test_a_correction_still_goes_to_those_who_have_the_original(world: World) -> None:
    original = world.add_campaign(words="Old", number=30)
    correction = world.add_campaign(words="Better", number=30, edition=1, corrects=original)
    swap(world, seen(world, correction), "Best")
    after = seen(world, correction)
    assert (after.corrects, after.subject) == (original, "Best")


@pytest.mark.parametrize("round_", range(3))
def test_against_a_clock_that_starts_it_all_is_old_or_all_is_new(world: World, round_: int) -> None:
    world.add_people("a@example.com")
    campaign = world.add_campaign(words="Old")
    looked = seen(world, campaign)
    ready = Barrier(2)
    refused: list[Exception] = []

    def swaps() -> None:
        ready.wait()
        try:
            swap(world, looked, "New")
        except CampaignRefused as exc:
            refused.append(exc)

    def starts() -> None:
        ready.wait()
        assert start(world) == [campaign]

    threads = [Thread(target=body) for body in (swaps, starts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen(world, campaign).state is CampaignState.PLANNING
    expected = "Old" if refused else "New"
    assert content(world, campaign).text == expected
    assert seen(world, campaign).subject == expected
    assert seen(world, campaign).checksum == content(world, campaign).checksum


def test_a_clock_that_has_begun_makes_who_replaces_wait_and_then_refuses(
    postgres_url: str,
) -> None:
    # SQLite has one writer at a time.
    world = World(database=Database(postgres_url))
    world.add_newsletter()
    campaign = world.add_campaign(words="Old")
    looked = seen(world, campaign)
    told: list[str] = []

    def swaps() -> None:
        try:
            swap(world, looked, "New")
        except CampaignRefused as exc:
            told.append(str(exc))

    with world.database.write() as session:
        campaign_queries.start_due(session, now=world.now, late_after=LATE)
        thread = Thread(target=swaps)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(60)
    assert "has started" in told[0]
    assert content(world, campaign).text == "Old"
    world.database.dispose()


def test_the_difference_is_what_readers_see() -> None:
    old = simple_rendering("Old\nsame\n<https://a.example/>")
    new = simple_rendering("New\nsame\n<https://b.example/>")
    found = difference(old, new)
    assert found.lines == ("-Old", "+New", "-<https://a.example/>", "+<https://b.example/>")
    assert (found.links_removed, found.links_added) == (
        ("https://a.example/",),
        ("https://b.example/",),
    )
    assert difference(old, old).unseen


def test_due_stays_though_it_is_replaced_at_the_last_moment(world: World) -> None:
    campaign = world.add_campaign(words="Old")
    world.now += timedelta(minutes=5)
    swap(world, seen(world, campaign), "New")
    assert start(world) == [campaign]
