"""The owner hears that an issue has started and that it has ended, each once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from threading import Barrier, Thread

import pytest
from sqlalchemy import select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind
from mailer.campaign.tables import campaigns
from mailer.delivery import gate, ledger
from mailer.delivery.fuse import queries as fuse
from mailer.delivery.model import Verdict
from mailer.delivery.retry import RetryPolicy, decide
from mailer.delivery.tables import deliveries
from mailer.notice.course import tell_of_course
from mailer.notice.owner import tell_of_pauses
from mailer.notice.stalled import StallWatch
from subscribers.errors import DatabaseBusy
from subscribers.tables import newsletters
from tests.integration.delivery.conftest import World, world

__all__ = ["world"]
POLICY = RetryPolicy(
    first=timedelta(seconds=1), most=timedelta(seconds=10), give_up_after=timedelta(hours=1)
)


def tell(world: World) -> int:
    return tell_of_course(world.database, world.keyring, now=world.now)


def letters(world: World) -> list[tuple[str, str]]:
    """Subject and text of each mail to the owner, oldest first."""
    with world.database.read() as session:
        found = session.scalars(
            select(campaigns.c.id)
            .join(deliveries, deliveries.c.campaign_id == campaigns.c.id)
            .where(campaigns.c.kind == CampaignKind.NOTICE)
            .order_by(deliveries.c.id)
        ).all()
        made = [campaign_queries.rendering_of(session, one) for one in found]
    return [(one.subject, one.text) for one in made]


def send(world: World, campaign: int, *, fail: int = 0) -> None:
    """Send all copies of a campaign, but for some that are refused for good."""
    with world.database.write() as session:
        claim = gate.claim(
            session,
            worker="a",
            now=world.now,
            lease=timedelta(minutes=1),
            late_after=timedelta(hours=1),
            campaign_id=campaign,
        )
    assert claim is not None
    passed = world.pass_gate(claim, world.ids(campaign)).intents
    outcomes = [
        world.outcome(
            one.delivery_id,
            Verdict.FAILED if place < fail else Verdict.SENT,
            code=550 if place < fail else 250,
        )
        for place, one in enumerate(passed)
    ]
    with world.database.write() as session:
        fuse.add(session, "a", [(claim, outcome) for outcome in outcomes])
        decisions = [decide(one, first_at=world.now, policy=POLICY) for one in outcomes]
        ledger.record_outcomes(session, decisions, now=world.now)
        gate.release(session, claim, now=world.now, not_before=world.now)
        ledger.finish_complete(session, now=world.now)


@pytest.fixture
def campaign(world: World) -> int:
    world.add_people(*(f"p{n}@example.com" for n in range(5)))
    return world.add_campaign(words="Thirty")


def test_start_and_end_with_the_closing_balance(world: World, campaign: int) -> None:
    assert tell(world) == 0  # it waits for its time
    world.plan(campaign)
    assert [tell(world), tell(world)] == [1, 0]
    [(subject, text)] = letters(world)
    assert f"campaign {campaign} of Weekly has started" in subject
    for words in ("Thirty", "It goes to 5 people.", f"mailer campaign status {campaign}"):
        assert words in text
    world.now += timedelta(minutes=12)
    send(world, campaign, fail=2)
    assert [tell(world), tell(world)] == [1, 0]
    _, (subject, text) = letters(world)
    assert f"campaign {campaign} of Weekly is finished" in subject
    for words in (
        "3 of 5 copies are sent; 2 failed.",
        "from 2026-12-01 09:00 to 2026-12-01 09:12 UTC",
        "Everybody of the audience is accounted for.",
        f"mailer campaign report {campaign}",
    ):
        assert words in text


def test_the_last_zone_is_told_where_each_has_their_own_time(world: World) -> None:
    world.add_people("a@example.com")
    campaign = world.add_campaign(local_at="2026-12-01 09:00", timezone="America/New_York")
    world.plan(campaign)
    tell(world)
    [(_, text)] = letters(world)
    assert "their own clock shows 2026-12-01 09:00, the last from 2026-12-01 14:00" in " ".join(
        text.split()
    )


def test_one_that_is_over_at_once_is_told_of_in_order(world: World, campaign: int) -> None:
    world.plan(campaign)
    send(world, campaign)
    assert tell(world) == 2
    first, second = (subject for subject, _ in letters(world))
    assert "has started" in first
    assert "is finished" in second


def test_one_that_has_work_again_ends_only_once_for_the_owner(world: World, campaign: int) -> None:
    world.plan(campaign)
    send(world, campaign)
    tell(world)
    with world.database.write() as session:
        session.execute(update(campaigns).where(campaigns.c.id == campaign).values(state="sending"))
    assert tell(world) == 0
    with world.database.write() as session:
        ledger.finish_complete(session, now=world.now)
    assert tell(world) == 0


def test_a_cancelled_one_ends_when_its_books_are_closed(world: World, campaign: int) -> None:
    world.plan(campaign)
    tell(world)
    with world.database.write() as session:
        campaign_queries.cancel(session, campaign, now=world.now)
    assert tell(world) == 0
    with world.database.write() as session:
        while ledger.cancel_waiting(session, campaign, now=world.now):
            pass
    assert tell(world) == 1
    subject, text = letters(world)[-1]
    assert "is cancelled" in subject
    assert "0 of 5 copies are sent; 5 cancelled." in text


def test_one_that_never_started_says_nothing(world: World, campaign: int) -> None:
    with world.database.write() as session:
        campaign_queries.cancel(session, campaign, now=world.now)
    assert tell(world) == 0


def test_any_number_of_clocks_tell_once(world: World, campaign: int) -> None:
    world.plan(campaign)
    ready = Barrier(3)
    told: list[int] = []

    def clock() -> None:
        ready.wait()
        try:
            told.append(tell(world))
        except DatabaseBusy:
            told.append(0)

    threads = [Thread(target=clock) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    tell(world)
    assert len(letters(world)) == 1


@pytest.mark.parametrize(("mail", "count"), [("all", 4), ("trouble", 2), ("off", 0)])
def test_what_the_owner_wants_to_hear(world: World, campaign: int, mail: str, count: int) -> None:
    with world.database.write() as session:
        session.execute(update(newsletters).values(owner_mail=mail))
    world.plan(campaign)
    told = tell(world)
    watch = StallWatch(database=world.database, keyring=world.keyring, after=timedelta(minutes=10))
    for minutes in (0, 11):
        world.now += timedelta(minutes=minutes)
        watch._again = 0
        watch.look(world.now)
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="the fuse blew", now=world.now)
    pauses = partial(tell_of_pauses, world.database, world.keyring, now=world.now)
    told += pauses() + pauses()
    with world.database.write() as session:
        campaign_queries.resume(session, campaign, now=world.now)
    send(world, campaign)
    told += tell(world)
    assert len(letters(world)) == count
    # The one of the standstill is not counted by who tells the others.
    assert told == max(0, count - 1)
    # Who turns it on later hears nothing of what is long over.
    with world.database.write() as session:
        session.execute(update(newsletters).values(owner_mail="all"))
    assert tell(world) == 0


def test_it_goes_by_any_relay_since_its_own_may_be_the_trouble(world: World, campaign: int) -> None:
    with world.database.write() as session:
        session.execute(update(newsletters).values(relay="sick"))
    world.plan(campaign)
    tell(world)
    notice = world.claim()
    assert notice is not None
    assert notice.campaign_id != campaign
    assert notice.relay is None


def test_an_owner_without_a_usable_address_stops_nothing(world: World, campaign: int) -> None:
    with world.database.write() as session:
        session.execute(update(newsletters).values(reply_to="nobody at all"))
    world.plan(campaign)
    assert [tell(world), tell(world)] == [0, 0]
    assert letters(world) == []


def test_campaigns_from_before_and_tests_say_nothing(world: World) -> None:
    world.add_people("a@example.com")
    campaign = world.add_campaign()
    world.plan(campaign)
    with world.database.write() as session:
        # As a campaign stands that an older version scheduled.
        session.execute(update(campaigns).values(owner_knows=None))
    assert tell(world) == 0
    send(world, campaign)
    assert tell(world) == 0
