"""Issues by each person's own clock: one copy each, in time, whatever comes between."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from mailer.backup import queries as backup
from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.model import Canary
from mailer.delivery import gate, ledger
from mailer.delivery.late import queries as late_queries
from mailer.delivery.model import Verdict
from mailer.delivery.plan import add_joined
from mailer.delivery.retry import RetryPolicy, decide
from mailer.delivery.stall.queries import stalled
from mailer.delivery.tables import chunks, deliveries
from mailer.errors import CampaignRefused
from mailer.report.explain import explain
from subscribers import address
from subscribers import queries as people_queries
from subscribers.tables import subscribers
from tests.integration.delivery.conftest import LATE, World, simple_rendering
from tests.integration.delivery.test_send import Plant, copies, over, settings

POLICY = RetryPolicy(
    first=timedelta(seconds=1), most=timedelta(seconds=10), give_up_after=timedelta(hours=1)
)
#: 9:00 there, in hours of UTC: the world's clock shows 9:00 UTC, when it starts at the earliest.
ZONES = {"Europe/London": 9, "America/New_York": 14, "America/Los_Angeles": 17}
LOCAL_AT = "2026-12-01 09:00"


def add_in(world: World, zone: str | None, *addresses: str) -> list[int]:
    """Subscribe people whose clocks show the time of a zone."""
    ids = world.add_people(*addresses)
    with world.database.write() as session:
        session.execute(update(subscribers).where(subscribers.c.id.in_(ids)).values(timezone=zone))
    return ids


def around(world: World, *, each: int = 2) -> int:
    """So many people in each zone, and a campaign planned for them."""
    for zone in ZONES:
        add_in(world, zone, *(f"{zone[-3:].lower()}{n}@example.com" for n in range(each)))
    campaign = world.add_campaign(local_at=LOCAL_AT, timezone="Europe/London")
    world.plan(campaign)
    return campaign


def tick(world: World) -> list[int]:
    """What a clock does about lateness; gives what it paused."""
    with world.database.write() as session:
        paused = late_queries.pause_late(session, now=world.now, late_after=LATE)
        late_queries.keep_alive(session, now=world.now, late_after=LATE)
    return paused


def work(world: World, campaign: int) -> list[int]:
    """Send all that may be sent now; gives the deliveries that flew."""
    flown = []
    while (claim := world.claim()) is not None:
        assert claim.campaign_id == campaign
        with world.database.read() as session:
            ids = [
                *session.scalars(
                    select(deliveries.c.id).where(deliveries.c.chunk_id == claim.chunk_id)
                )
            ]
        passed = [intent.delivery_id for intent in world.pass_gate(claim, ids).intents]
        with world.database.write() as session:
            told = [world.outcome(one, Verdict.SENT) for one in passed]
            decisions = [decide(one, first_at=world.now, policy=POLICY) for one in told]
            ledger.record_outcomes(session, decisions, now=world.now)
            gate.release(session, claim, now=world.now, not_before=world.now)
        flown += passed
    return flown


def finish(world: World) -> None:
    with world.database.write() as session:
        ledger.finish_complete(session, now=world.now)


def openings(world: World, campaign: int) -> list[tuple[datetime, int]]:
    with world.database.read() as session:
        rows = session.execute(
            select(chunks.c.opens_at, chunks.c.due_at, chunks.c.size)
            .where(chunks.c.campaign_id == campaign)
            .order_by(chunks.c.opens_at)
        ).all()
    assert all(row.due_at == max(row.opens_at, world.now) for row in rows)
    return [(row.opens_at, row.size) for row in rows]


def at(hour: int, day: int = 1) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def test_a_day_around_the_world_each_in_time_and_once(world: World) -> None:
    campaign = around(world)
    assert openings(world, campaign) == [(at(9), 2), (at(14), 2), (at(17), 2)]
    flown: list[int] = []
    for hour in range(9, 18):
        world.now = at(hour)
        assert tick(world) == []
        batch = work(world, campaign)
        assert len(batch) == (2 if hour in ZONES.values() else 0), hour
        flown += batch
        finish(world)
        assert world.state(campaign) == ("finished" if hour == 17 else "sending")
    assert Counter(flown) == dict.fromkeys(world.ids(campaign), 1)
    with world.database.read() as session:
        balance = ledger.balance(session, campaign)
    assert balance.closed
    assert balance.balances
    assert balance.states == {"sent": 6}


def test_zones_of_one_offset_share_chunks_and_lanes_do_not(world: World) -> None:
    add_in(world, "Europe/Berlin", "a@example.com", "b@gmail.com")
    add_in(world, "Europe/Paris", "c@example.com")
    add_in(world, "Africa/Lagos", "d@example.com")
    campaign = world.add_campaign(local_at="2026-12-01 12:00", timezone="Europe/Rome")
    world.plan(campaign, range_size=3)
    assert sorted(openings(world, campaign)) == [(at(11), 1), (at(11), 1), (at(11), 2)]


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../../etc/passwd", "'; DROP TABLE x"])
def test_who_has_no_zone_gets_it_by_the_newsletters(world: World, zone: str | None) -> None:
    add_in(world, zone, "a@example.com")
    add_in(world, "America/New_York", "b@example.com")
    campaign = world.add_campaign(local_at=LOCAL_AT, timezone="America/Los_Angeles")
    world.plan(campaign)
    assert openings(world, campaign) == [(at(14), 1), (at(17), 1)]


def test_whose_time_has_passed_gets_it_at_once(world: World) -> None:
    add_in(world, "Asia/Tokyo", "a@example.com")
    add_in(world, "Europe/London", "b@example.com")
    campaign = world.add_campaign(local_at=LOCAL_AT)
    world.plan(campaign)
    assert openings(world, campaign) == [(at(0), 1), (at(9), 1)]
    assert len(work(world, campaign)) == 2


def test_who_moves_meanwhile_gets_exactly_one(world: World) -> None:
    campaign = around(world)
    assert len(work(world, campaign)) == 2
    # East to west, whose time is to come; west to east, where it has passed.
    with world.database.write() as session:
        for zone, other in (("Europe/London", "Asia/Tokyo"), ("America/New_York", "Asia/Tokyo")):
            session.execute(
                update(subscribers).where(subscribers.c.timezone == zone).values(timezone=other)
            )
        session.execute(update(subscribers).values(timezone="America/Los_Angeles"))
    assert work(world, campaign) == []
    world.now = at(14)
    tick(world)
    assert len(work(world, campaign)) == 2
    world.now = at(17)
    tick(world)
    assert len(work(world, campaign)) == 2
    finish(world)
    assert world.states(campaign) == ["sent"] * 6


# --- lateness: decision 6, by chunk


def test_a_wait_that_was_planned_is_not_late_though_nothing_ran(world: World) -> None:
    campaign = around(world)
    work(world, campaign)
    # Asleep from 9:00 to 14:30: London was done, New York is half an hour late.
    world.now = at(14) + timedelta(minutes=30)
    assert world.claim() is None  # before a clock has looked at it, it is as good as late
    assert tick(world) == []
    assert len(work(world, campaign)) == 2


def test_over_a_day_between_two_zones(world: World) -> None:
    add_in(world, "Pacific/Kiritimati", "a@example.com")
    add_in(world, "Etc/GMT+12", "b@example.com")
    world.now = at(19, day=1)
    campaign = world.add_campaign(local_at="2026-12-02 09:00")
    world.plan(campaign)
    assert len(work(world, campaign)) == 1
    world.now = at(21, day=2)  # 26 hours later, and nothing ran
    assert tick(world) == []
    assert len(work(world, campaign)) == 1


def test_a_chunk_that_missed_its_time_by_too_much_is_late(world: World) -> None:
    campaign = around(world)
    work(world, campaign)
    world.now = at(15)
    assert tick(world) == [campaign]
    assert world.claim() is None
    with world.database.write() as session:
        campaign_queries.resume(session, campaign, now=world.now)
        ledger.try_soon(session, campaign, now=world.now)
    # The late go now, the others in their time.
    assert len(work(world, campaign)) == 2
    world.now = at(17)
    tick(world)
    assert len(work(world, campaign)) == 2
    finish(world)
    assert world.state(campaign) == "finished"


def test_one_that_fell_silent_in_the_middle_of_a_chunk_is_late(world: World) -> None:
    campaign = around(world)
    claim = world.claim()
    assert claim is not None
    world.now = at(11)
    assert tick(world) == [campaign]


def test_an_issue_for_all_at_once_is_late_as_ever(world: World) -> None:
    world.add_people("a@example.com")
    campaign = world.add_campaign()
    world.plan(campaign)
    with world.database.write() as session:
        # A retry far ahead: for such a campaign silence is silence.
        session.execute(update(chunks).values(due_at=at(20)))
    world.now = at(11)
    assert tick(world) == [campaign]


def test_waiting_is_no_standstill_and_is_one_once_its_time_has_come(world: World) -> None:
    campaign = around(world)
    after = timedelta(minutes=10)

    def look() -> list[int]:
        with world.database.write() as session:
            found = stalled(session, now=world.now, after=after)
        return [each.campaign_id for each in found]

    assert look() == []
    work(world, campaign)
    for world.now in (at(9) + timedelta(minutes=11), at(12), at(14), at(14) + 0.9 * after):
        assert look() == [], world.now
    world.now = at(14) + 1.1 * after
    assert look() == [campaign]


# --- pause, resume, cancel


def test_a_pause_over_a_zones_time_and_no_resume_opens_another_early(world: World) -> None:
    campaign = around(world)
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="by hand", now=world.now, by_hand=True)
    world.now = at(15)
    assert tick(world) == []
    assert work(world, campaign) == []
    with world.database.write() as session:
        campaign_queries.resume(session, campaign, now=world.now)
        ledger.try_soon(session, campaign, now=world.now)
    assert len(work(world, campaign)) == 4
    world.now = at(17) - timedelta(seconds=1)
    tick(world)
    assert work(world, campaign) == []
    world.now = at(17)
    assert len(work(world, campaign)) == 2


def test_cancelled_between_two_zones_the_books_close(world: World) -> None:
    campaign = around(world)
    work(world, campaign)
    with world.database.write() as session:
        campaign_queries.cancel(session, campaign, now=world.now)
        while ledger.cancel_waiting(session, campaign, now=world.now):
            pass
        balance = ledger.balance(session, campaign)
    assert balance.closed
    assert balance.balances
    assert balance.states == {"sent": 2, "cancelled": 4}
    world.now = at(17)
    assert work(world, campaign) == []


def test_who_joined_since_waits_for_their_own_clock_too(world: World) -> None:
    campaign = around(world)
    work(world, campaign)
    add_in(world, "Asia/Tokyo", "late@example.com")
    add_in(world, "America/Los_Angeles", "early@example.com")
    assert add_joined(world.database, campaign, now=world.now, chunk_size=10) == 2
    assert len(work(world, campaign)) == 1
    world.now = at(14)
    tick(world)
    assert len(work(world, campaign)) == 2
    world.now = at(17)
    tick(world)
    assert len(work(world, campaign)) == 3
    finish(world)
    assert world.states(campaign) == ["sent"] * 8


def test_explain_tells_until_when_a_copy_waits(world: World) -> None:
    campaign = around(world)
    work(world, campaign)

    def told(who: str) -> str:
        with world.database.read() as session:
            found = explain(session, address.parse(who), campaign, keyring=world.keyring)
        return found.verdict

    assert "not before 2026-12-01 14:00 UTC" in told("ork0@example.com")
    assert "not before" not in told("don0@example.com")


def test_a_canary_by_local_time_is_refused(world: World) -> None:
    with world.database.write() as session:
        newsletter = people_queries.newsletter(session, world.newsletter_id)
        with pytest.raises(CampaignRefused, match="leave out --canary or --local"):
            scheduling.schedule(
                session,
                simple_rendering(),
                newsletter=newsletter,
                issue_number=1,
                due_at=world.now,
                timezone="UTC",
                local_at=world.now.replace(tzinfo=None),
                canary=Canary(size=1, hold=timedelta(minutes=1)),
                now=world.now,
            )


def test_a_restored_backup_doubts_only_what_may_have_left(world: World) -> None:
    campaign = around(world)
    made_at = world.now
    world.now = at(14) + timedelta(minutes=5)
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="restored", now=world.now)
        assert backup.doubt_waiting(session, made_at=made_at, now=world.now) == 4
        campaign_queries.resume(session, campaign, now=world.now)
    world.now = at(17)
    with world.database.write() as session:
        session.execute(update(chunks).where(chunks.c.opens_at < world.now).values(due_at=None))
    tick(world)
    work(world, campaign)
    assert sorted(world.states(campaign)) == ["sent", "sent", *["unknown"] * 4]


# --- over SMTP


def test_over_smtp_each_gets_one_when_their_time_has_come(world: World, smtp_sink) -> None:  # type: ignore[no-untyped-def]
    world.now = datetime.now(UTC)
    add_in(world, "Europe/London", *(f"east{n}@example.com" for n in range(20)))
    add_in(world, "Pacific/Honolulu", *(f"west{n}@example.com" for n in range(20)))
    london = world.now - timedelta(minutes=1)
    campaign = world.add_campaign(local_at=f"{london:%Y-%m-%d %H:%M}", timezone="UTC")
    with Plant(world, settings(world, smtp_sink)) as plant:
        plant.wait(lambda: len(smtp_sink.received) >= 20)
        assert all(name.startswith("east") for name in copies(smtp_sink))
        assert world.state(campaign) == "sending"
        # The world turns.
        with world.database.write() as session:
            west = (chunks.c.campaign_id == campaign, chunks.c.opens_at > datetime.now(UTC))
            session.execute(
                update(chunks)
                .where(*west)
                .values(due_at=datetime.now(UTC), opens_at=datetime.now(UTC))
            )
        plant.wait(over(world, campaign))
    assert world.state(campaign) == "finished"
    assert Counter(copies(smtp_sink).values()) == {1: 40}
