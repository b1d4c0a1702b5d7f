"""Canaries and the fuse, in real databases; and once over real SMTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, insert, select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, Canary
from mailer.delivery import gate, ledger
from mailer.delivery.fuse import queries as fuse_queries
from mailer.delivery.fuse.judge import Tally
from mailer.delivery.fuse.watch import watch
from mailer.delivery.late import queries as late_queries
from mailer.delivery.model import Claim, Outcome, Phase, Verdict
from mailer.delivery.retry import Decision
from mailer.delivery.tables import deliveries
from mailer.notice.owner import tell_of_pauses
from mailer.settings import FuseSettings
from subscribers.reason import Reason
from subscribers.tables import events, newsletters
from tests.integration.delivery.conftest import World
from tests.integration.delivery.test_send import Plant, copies, over, settings
from tests.services.smtp import SmtpSink

STRICT = FuseSettings(hard_bounces=0.05, complaints=0.01, refusals=0.1, least=20)
HOLD = Canary(size=40, hold=timedelta(minutes=30))


def campaign_of(world: World, campaign_id: int) -> Campaign:
    with world.database.read() as session:
        return campaign_queries.get(session, campaign_id)


def look(world: World) -> None:
    with world.database.write() as session:
        watch(session, STRICT, now=world.now)


def deliver(world: World, *, refuse: int = 0, code: int = 550, reason: Reason) -> list[int]:
    """Work on the next chunk: so many refused, the others taken; gives its deliveries."""
    claim = world.claim()
    assert claim
    with world.database.read() as session:
        ids = [
            *session.execute(
                select(deliveries.c.id)
                .where(deliveries.c.chunk_id == claim.chunk_id)
                .order_by(deliveries.c.id)
            ).scalars()
        ]
    passed = world.pass_gate(claim, ids)
    told = [
        outcome(world, intent.delivery_id, failed=number < refuse, code=code, reason=reason)
        for number, intent in enumerate(passed.intents)
    ]
    record(world, claim, told)
    with world.database.write() as session:
        gate.release(session, claim, now=world.now, not_before=world.now)
    return ids


def outcome(world: World, delivery_id: int, *, failed: bool, code: int, reason: Reason) -> Outcome:
    return Outcome(
        delivery_id=delivery_id,
        attempt=1,
        verdict=Verdict.FAILED if failed else Verdict.SENT,
        phase=Phase.RCPT if failed else Phase.REPLY,
        at=world.now,
        code=code if failed else 250,
        reason=reason if failed else Reason.UNKNOWN,
    )


def record(world: World, claim: Claim, told: list[Outcome]) -> None:
    with world.database.write() as session:
        ledger.record_outcomes(session, [Decision(outcome=o) for o in told], now=world.now)
        fuse_queries.add(session, world.worker, [(claim, o) for o in told])


def people(world: World, count: int, domain: str = "example.com") -> list[int]:
    return world.add_people(*(f"p{n}@{domain}" for n in range(count)))


def test_only_the_canary_can_be_claimed_until_it_did_well(world: World) -> None:
    people(world, 100)
    campaign = world.add_campaign(canary=HOLD)
    world.plan(campaign, chunk_size=50, range_size=50)
    first = deliver(world, reason=Reason.UNKNOWN)
    assert len(first) == HOLD.size
    assert world.claim() is None
    look(world)
    assert campaign_of(world, campaign).canary_at == world.now
    assert world.claim() is None
    world.now += HOLD.hold - timedelta(seconds=1)
    with world.database.write() as session:
        late_queries.keep_alive(session, now=world.now, late_after=timedelta(hours=1))
    look(world)
    assert world.claim() is None
    world.now += timedelta(seconds=2)
    look(world)
    assert campaign_of(world, campaign).wave == 1
    rest = deliver(world, reason=Reason.UNKNOWN) + deliver(world, reason=Reason.UNKNOWN)
    assert sorted(first + rest) == world.ids(campaign)


def test_the_hold_waits_for_each_copy_of_the_canary(world: World) -> None:
    people(world, 80)
    campaign = world.add_campaign(canary=HOLD)
    world.plan(campaign)
    look(world)
    claim = world.claim()
    assert claim
    world.pass_gate(claim, world.ids(campaign)[: HOLD.size])
    look(world)
    assert campaign_of(world, campaign).canary_at is None


def test_a_canary_larger_than_the_list_ends_the_campaign_by_itself(world: World) -> None:
    people(world, 10)
    campaign = world.add_campaign(canary=HOLD)
    world.plan(campaign)
    deliver(world, reason=Reason.UNKNOWN)
    with world.database.write() as session:
        assert ledger.finish_complete(session, now=world.now) == [campaign]


def test_a_canary_of_a_bad_list_stops_the_rest(world: World) -> None:
    people(world, 100)
    campaign = world.add_campaign(canary=HOLD)
    world.plan(campaign)
    deliver(world, refuse=4, reason=Reason.NO_SUCH_USER)
    world.now += HOLD.hold * 2
    look(world)
    held = campaign_of(world, campaign)
    assert held.state == "paused"
    assert held.wave == 0
    assert held.pause_reason
    assert "4 hard bounces among 40 copies (10.00%, threshold 5.00%)" in held.pause_reason
    assert f"mailer campaign resume {campaign}" in held.pause_reason
    assert world.claim() is None


@pytest.mark.parametrize(
    ("reason", "code", "blows"),
    [
        (Reason.NO_SUCH_USER, 550, True),
        (Reason.SPAM, 554, True),
        # Full mailboxes and retries that ran out are nobody's fault.
        (Reason.MAILBOX_FULL, 552, False),
        (Reason.SYSTEM, 451, False),
    ],
)
def test_which_refusals_count(world: World, reason: Reason, code: int, blows: bool) -> None:
    people(world, 40)
    campaign = world.add_campaign()
    world.plan(campaign)
    deliver(world, refuse=10, code=code, reason=reason)
    look(world)
    assert (world.state(campaign) == "paused") is blows


def test_resuming_overrides_until_figures_get_worse(world: World) -> None:
    people(world, 120)
    campaign = world.add_campaign()
    world.plan(campaign, chunk_size=40)
    deliver(world, refuse=4, reason=Reason.NO_SUCH_USER)
    look(world)
    assert world.state(campaign) == "paused"
    with world.database.write() as session:
        campaign_queries.resume(session, campaign, now=world.now)
    look(world)
    assert world.state(campaign) == "sending"
    deliver(world, refuse=4, reason=Reason.NO_SUCH_USER)
    look(world)
    assert world.state(campaign) == "sending"
    deliver(world, refuse=12, reason=Reason.NO_SUCH_USER)
    look(world)
    assert world.state(campaign) == "paused"


def test_what_comes_back_later_counts(world: World) -> None:
    people(world, 200)
    campaign = world.add_campaign()
    world.plan(campaign)
    ids = deliver(world, reason=Reason.UNKNOWN)
    with world.database.write() as session:
        session.execute(
            update(deliveries).where(deliveries.c.id.in_(ids[:3])).values(later="complained")
        )
        session.execute(
            update(deliveries).where(deliveries.c.id.in_(ids[3:9])).values(later="bounced")
        )
        # Of six that came back, two are for good.
        for number, delivery_id in enumerate(ids[3:9]):
            session.execute(
                insert(events).values(
                    type="bounced",
                    at=world.now,
                    recorded_at=world.now,
                    source="generic",
                    source_id=str(number),
                    hardness="hard" if number < 2 else "soft",
                    reason="unknown",
                    delivery_id=delivery_id,
                    effect="",
                )
            )
    with world.database.read() as session:
        assert fuse_queries.tallied(session, campaign) == [
            Tally(lane="other", tried=200, hard=2, complained=3)
        ]
    look(world)
    assert "3 complaints among 200" in (campaign_of(world, campaign).pause_reason or "")


def test_each_worker_adds_to_rows_of_its_own(world: World) -> None:
    people(world, 90)
    campaign = world.add_campaign()
    world.plan(campaign, chunk_size=30)
    for world.worker in ("a", "b", "a"):
        deliver(world, refuse=1, reason=Reason.SPAM)
    with world.database.read() as session:
        rows = fuse_queries.tallies
        assert session.execute(select(func.count()).select_from(rows)).scalar_one() == 2
        assert fuse_queries.tallied(session, campaign) == [Tally(lane="other", tried=90, refused=3)]


def test_over_smtp_the_canary_goes_then_the_rest(world: World, smtp_sink: SmtpSink) -> None:
    world.now = datetime.now(UTC)
    people(world, 60)
    campaign = world.add_campaign(canary=Canary(size=20, hold=timedelta(seconds=1)))
    with Plant(world, settings(world, smtp_sink)) as plant:
        plant.wait(lambda: campaign_of(world, campaign).canary_at is not None)
        assert len(smtp_sink.received) == 20
        plant.wait(over(world, campaign))
    assert set(copies(smtp_sink).values()) == {1}
    assert len(smtp_sink.received) == 60


def test_over_smtp_a_bad_canary_spares_the_rest(world: World, smtp_sink: SmtpSink) -> None:
    world.now = datetime.now(UTC)
    people(world, 400)
    for number in range(30):
        smtp_sink.answer(f"p{number}@example.com", "550 5.1.1 no such user…")
    campaign = world.add_campaign(canary=Canary(size=120, hold=timedelta(seconds=1)))
    with Plant(world, settings(world, smtp_sink)) as plant:
        plant.wait(over(world, campaign))
    assert world.state(campaign) == "paused"
    assert len(smtp_sink.received) <= 90


def test_the_owner_is_told_once_a_pause_by_a_rule(world: World) -> None:
    people(world, 120)
    campaign = world.add_campaign()
    world.plan(campaign, chunk_size=30)
    tell = partial(tell_of_pauses, world.database, world.keyring)
    deliver(world, refuse=30, reason=Reason.NO_SUCH_USER)
    assert tell(now=world.now) == 0
    look(world)
    assert [tell(now=world.now), tell(now=world.now)] == [1, 0]
    notice = world.claim()
    assert notice is not None
    assert notice.campaign_id != campaign
    assert world.states(notice.campaign_id) == ["queued"]
    with world.database.write() as session:
        campaign_queries.resume(session, campaign, now=world.now)
        # Whoever pauses it by hand knows.
        campaign_queries.pause(session, campaign, reason="by hand", now=world.now, by_hand=True)
    assert tell(now=world.now) == 0
    with world.database.write() as session:
        campaign_queries.resume(session, campaign, now=world.now)
        campaign_queries.pause(session, campaign, reason="the relay refuses us", now=world.now)
    assert tell(now=world.now) == 1


def test_who_resumed_a_campaign_needs_no_alarm(world: World) -> None:
    people(world, 1)
    campaign = world.add_campaign()
    world.plan(campaign)
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="late", now=world.now)
        campaign_queries.resume(session, campaign, now=world.now)
    assert tell_of_pauses(world.database, world.keyring, now=world.now) == 0


def test_an_alarm_takes_any_relay(world: World) -> None:
    """Its newsletter's own may be the trouble."""
    people(world, 1)
    campaign = world.add_campaign()
    with world.database.write() as session:
        session.execute(update(newsletters).values(relay="sick"))
    world.plan(campaign)
    issue = world.claim()
    assert issue is not None
    assert issue.relay == "sick"
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="refused", now=world.now)
    tell_of_pauses(world.database, world.keyring, now=world.now)
    notice = world.claim()
    assert notice is not None
    assert notice.relay is None
