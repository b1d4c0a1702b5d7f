"""The gate lets a copy fly once, whatever claims, sleeps and lost answers do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from mailer.campaign import queries as campaign_queries
from mailer.delivery import gate, ledger
from mailer.delivery.late import queries as late_queries
from mailer.delivery.model import DeliveryState, Verdict
from mailer.delivery.retry import Decision
from mailer.delivery.tables import deliveries
from subscribers.event import Event, EventType
from subscribers.record import record_all
from subscribers.tables import newsletters, subscribers
from tests.integration.delivery.conftest import LATE, World


@pytest.fixture
def campaign(world: World) -> int:
    world.add_people(*(f"p{n}@example.com" for n in range(6)))
    campaign_id = world.add_campaign()
    world.plan(campaign_id)
    return campaign_id


def record(world: World, *outcomes: object, due_in: float | None = None) -> None:
    due_at = world.now + timedelta(seconds=due_in) if due_in is not None else None
    with world.database.write() as session:
        ledger.record_outcomes(
            session,
            [Decision(outcome=o, due_at=due_at) for o in outcomes],  # type: ignore[arg-type]
            now=world.now,
        )


def test_a_chunk_is_claimed_by_one(world: World, campaign: int) -> None:
    assert world.claim() is not None
    assert world.claim(worker="b") is None


def test_many_claimers_at_once_get_one_each(world: World) -> None:
    world.add_people(*(f"p{n}@example.com" for n in range(20)))
    world.plan(world.add_campaign(), chunk_size=5)
    with ThreadPoolExecutor(8) as pool:
        claims = [*pool.map(lambda n: world.claim(worker=str(n)), range(8))]
    held = [claim.chunk_id for claim in claims if claim]
    assert len(held) == len(set(held)) == 4


def test_who_passes_has_an_intent_and_flies_once(world: World, campaign: int) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    first = world.pass_gate(claim, ids[:3])
    again = world.pass_gate(claim, ids[:4])
    assert [i.delivery_id for i in first.intents] == ids[:3]
    assert [i.delivery_id for i in again.intents] == ids[3:4]
    assert not again.stop


def test_an_old_token_lets_nothing_fly(world: World, campaign: int) -> None:
    old, ids = world.claim(), world.ids(campaign)
    assert old
    world.now += timedelta(seconds=61)
    assert world.claim(worker="b")
    passed = world.pass_gate(old, ids)
    assert passed.intents == ()
    assert passed.stop


def test_two_holders_at_once_never_fly_the_same_copy(world: World, campaign: int) -> None:
    # The old holder asks while the new one claims and asks: whoever wins, each flies once.
    ids = world.ids(campaign)
    for _ in range(5):
        old = world.claim(worker="a")
        assert old
        world.now += timedelta(seconds=61)
        with ThreadPoolExecutor(2) as pool:
            mine = pool.submit(world.pass_gate, old, ids[:3], worker="a")
            new = pool.submit(world.claim, worker="b").result()
            assert new
            theirs = world.pass_gate(new, ids[:3], worker="b")
            flown = [i.delivery_id for i in (*mine.result().intents, *theirs.intents)]
        assert len(flown) == len(set(flown))
        ids = ids[1:] + ids[:1]
        world.now += timedelta(seconds=61)


def test_what_a_dead_holder_left_is_unknown_and_the_rest_goes_on(
    world: World, campaign: int
) -> None:
    dead, ids = world.claim(), world.ids(campaign)
    assert dead
    world.pass_gate(dead, ids[:2])
    world.now += timedelta(seconds=61)
    heir = world.claim(worker="b")
    assert heir
    passed = world.pass_gate(heir, ids, worker="b")
    assert [i.delivery_id for i in passed.intents] == ids[2:]
    assert world.states(campaign)[:2] == ["unknown", "unknown"]


def test_a_late_outcome_replaces_the_presumption(world: World, campaign: int) -> None:
    sleeper, ids = world.claim(), world.ids(campaign)
    assert sleeper
    world.pass_gate(sleeper, ids[:3])
    world.now += timedelta(seconds=61)
    assert world.claim(worker="b")
    record(world, world.outcome(ids[0], Verdict.SENT), world.outcome(ids[1], Verdict.FAILED))
    record(world, world.outcome(ids[2], Verdict.DEFERRED), due_in=60)
    assert world.states(campaign)[:3] == ["sent", "failed", "deferred"]


def test_a_late_try_again_reopens_a_finished_campaign(world: World, campaign: int) -> None:
    sleeper, ids = world.claim(), world.ids(campaign)
    assert sleeper
    world.pass_gate(sleeper, ids)
    world.now += timedelta(seconds=61)
    heir = world.claim(worker="b")
    assert heir
    with world.database.write() as session:
        gate.release(session, heir, now=world.now, not_before=world.now)
        assert ledger.finish_complete(session, now=world.now) == [campaign]
    record(world, world.outcome(ids[0], Verdict.DEFERRED), due_in=5)
    assert world.state(campaign) == "sending"
    world.now += timedelta(seconds=6)
    claim = world.claim(worker="b")
    assert claim
    assert [i.attempt for i in world.pass_gate(claim, ids[:1], worker="b").intents] == [2]


def test_an_answer_lost_with_the_connection_is_asked_for_again(world: World, campaign: int) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    lost = world.pass_gate(claim, ids[:3])
    assert len(lost.intents) == 3
    again = world.pass_gate(claim, ids[:3], asked_before=True)
    assert again == gate.Passed(intents=lost.intents)
    # A stranger under the same question gets none of them.
    assert world.pass_gate(claim, ids[:3], worker="x", asked_before=True).intents == ()


@pytest.mark.parametrize("step", ["pause", "cancel"])
def test_a_campaign_that_does_not_run_lets_nothing_fly(
    world: World, campaign: int, step: str
) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    with world.database.write() as session:
        if step == "pause":
            assert campaign_queries.pause(session, campaign, reason="by hand", now=world.now)
        else:
            campaign_queries.cancel(session, campaign, now=world.now)
    assert world.pass_gate(claim, ids) == gate.Passed(intents=(), stop=True)


def test_a_silent_campaign_lets_nothing_fly_before_a_person_says_so(
    world: World, campaign: int
) -> None:
    claim, ids = world.claim(lease=1e6), world.ids(campaign)
    assert claim
    world.now += LATE + timedelta(seconds=1)
    assert world.pass_gate(claim, ids).stop
    assert world.claim(worker="b") is None
    with world.database.write() as session:
        late_queries.keep_alive(session, now=world.now, late_after=LATE)
        assert late_queries.pause_late(session, now=world.now, late_after=LATE) == [campaign]
        campaign_queries.resume(session, campaign, now=world.now)
    assert len(world.pass_gate(claim, ids).intents) == 6


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("unsubscribed", "unsubscribed"),
        ("complained", "complained"),
        ("bounced", "bounced"),
        ("pending", "not-confirmed"),
    ],
)
def test_who_left_after_the_claim_is_skipped_by_name(
    world: World, campaign: int, status: str, reason: str
) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    world.set_status(1, status)
    passed = world.pass_gate(claim, ids)
    assert len(passed.intents) == 5
    assert not passed.stop
    with world.database.read() as session:
        from mailer.delivery.queries import failures

        assert failures(session, campaign) == [("skipped", reason, 1)]


def test_who_was_erased_after_the_claim_is_skipped(world: World, campaign: int) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    with world.database.write() as session:
        session.execute(
            update(subscribers)
            .where(subscribers.c.id == 2)
            .values(address=None, address_key=None, address_hash=None, erased_at=world.now)
        )
    assert len(world.pass_gate(claim, ids).intents) == 5
    assert world.states(campaign).count("skipped") == 1


def test_saying_an_outcome_twice_changes_nothing(world: World, campaign: int) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    world.pass_gate(claim, ids)
    sent = world.outcome(ids[0], Verdict.SENT)
    record(world, sent)
    record(world, sent)
    record(world, world.outcome(ids[0], Verdict.DEFERRED), due_in=1)
    assert world.states(campaign)[0] == "sent"


def test_an_outcome_of_an_older_attempt_does_not_move_a_newer_one(
    world: World, campaign: int
) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    world.pass_gate(claim, ids[:1])
    record(world, world.outcome(ids[0], Verdict.DEFERRED), due_in=0)
    world.pass_gate(claim, ids[:1])
    record(world, world.outcome(ids[0], Verdict.FAILED, attempt=1))
    assert world.states(campaign)[0] == "sending"


def test_a_chunk_is_released_to_when_its_next_copy_is_due(world: World, campaign: int) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    world.pass_gate(claim, ids)
    record(world, *(world.outcome(i, Verdict.SENT) for i in ids[1:]))
    record(world, world.outcome(ids[0], Verdict.DEFERRED), due_in=100)
    with world.database.write() as session:
        gate.release(session, claim, now=world.now, not_before=world.now)
        assert ledger.finish_complete(session, now=world.now) == []
    assert world.claim() is None
    world.now += timedelta(seconds=101)
    claim = world.claim()
    assert claim
    world.pass_gate(claim, ids[:1])
    record(world, world.outcome(ids[0], Verdict.SENT, attempt=2))
    with world.database.write() as session:
        gate.release(session, claim, now=world.now, not_before=world.now)
        assert ledger.finish_complete(session, now=world.now) == [campaign]
        balance = ledger.balance(session, campaign)
    assert balance.closed
    assert balance.balances
    assert balance.states == {DeliveryState.SENT: 6}


def test_evidence_settles_what_was_unknown(world: World, campaign: int) -> None:
    dead, ids = world.claim(), world.ids(campaign)
    assert dead
    world.pass_gate(dead, ids[:1])
    world.now += timedelta(seconds=61)
    assert world.claim(worker="b")
    with world.database.write() as session:
        assert ledger.settle(session, ids[0], at=world.now, evidence="a bounce came back")
        assert not ledger.settle(session, ids[0], at=world.now, evidence="again")
        assert not ledger.settle(session, ids[1], at=world.now, evidence="never left")
    assert world.states(campaign)[:2] == ["sent", "queued"]


def test_an_unknown_copy_put_back_stays_when_the_first_try_is_heard_of(
    world: World, campaign: int
) -> None:
    sleeper, ids = world.claim(), world.ids(campaign)
    assert sleeper
    world.pass_gate(sleeper, ids[:2])
    world.now += timedelta(seconds=61)
    assert world.claim(worker="b")
    with world.database.write() as session:
        put_back = ledger.requeue_unknown(
            session,
            campaign,
            now=world.now,
            not_before=world.now,
            tried_since=world.now - LATE,
        )
    assert put_back == 2
    record(world, world.outcome(ids[0], Verdict.SENT))
    with world.database.write() as session:
        assert ledger.settle(session, ids[1], at=world.now, evidence="delivered")
    assert world.states(campaign)[:2] == ["sent", "sent"]


def test_cancelling_closes_what_waits_and_owns_up_to_what_flew(world: World, campaign: int) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    world.pass_gate(claim, ids[:2])
    record(world, world.outcome(ids[0], Verdict.SENT))
    with world.database.write() as session:
        campaign_queries.cancel(session, campaign, now=world.now)
        assert ledger.cancel_waiting(session, campaign, now=world.now) == 0  # still held
    world.now += timedelta(seconds=61)
    with world.database.write() as session:
        assert ledger.cancel_waiting(session, campaign, now=world.now) == 1
        balance = ledger.balance(session, campaign)
    assert balance.closed
    assert balance.balances
    assert world.states(campaign) == ["sent", "unknown", *["cancelled"] * 4]


def test_what_was_heard_of_before_its_worker_was_missed_is_sent(
    world: World, campaign: int
) -> None:
    dead, ids = world.claim(), world.ids(campaign)
    assert dead
    world.pass_gate(dead, ids[:2])
    with world.database.write() as session:
        session.execute(update(deliveries).where(deliveries.c.id == ids[0]).values(later="bounced"))
    world.now += timedelta(seconds=61)
    assert world.claim(worker="b")
    assert world.states(campaign)[:2] == ["sent", "unknown"]


def look_at(world: World, delivery_id: int, kind: EventType) -> None:
    """Somebody looks at a copy."""
    event = Event(
        type=kind,
        at=world.now,
        source="track",
        source_id=f"{kind}-{delivery_id}",
        delivery_id=delivery_id,
    )
    with world.database.write() as session:
        record_all(session, [event], now=world.now)


@pytest.mark.parametrize("kind", [EventType.CLICKED, EventType.OPENED])
def test_what_was_looked_at_before_its_worker_was_missed_is_sent(
    world: World, campaign: int, kind: EventType
) -> None:
    dead, ids = world.claim(), world.ids(campaign)
    assert dead
    world.pass_gate(dead, ids[:2])
    look_at(world, ids[0], kind)
    world.now += timedelta(seconds=61)
    assert world.claim(worker="b")
    assert world.states(campaign)[:2] == ["sent", "unknown"]


@pytest.mark.parametrize("heard", ["delivered", "clicked"])
def test_what_was_heard_of_before_its_reply_was_missed_is_sent(
    world: World, campaign: int, heard: str
) -> None:
    claim, ids = world.claim(), world.ids(campaign)
    assert claim
    world.pass_gate(claim, ids[:2])
    if heard == "clicked":
        look_at(world, ids[0], EventType.CLICKED)
    else:
        with world.database.write() as session:
            session.execute(update(deliveries).where(deliveries.c.id == ids[0]).values(later=heard))
    record(world, *(world.outcome(i, Verdict.UNKNOWN, code=0) for i in ids[:2]))
    assert world.states(campaign)[:2] == ["sent", "unknown"]
    # Heard of in the very moment in which it became unknown.
    look_at(world, ids[1], EventType.CLICKED)
    with world.database.write() as session:
        put_back = ledger.requeue_unknown(
            session, campaign, now=world.now, not_before=world.now, tried_since=world.now - LATE
        )
    assert put_back == 0


@pytest.mark.parametrize(("policy", "back"), [("hold", 0), ("resend", 2)])
def test_unknown_copies_are_put_back_only_by_choice_and_only_once_overdue(
    world: World, campaign: int, policy: str, back: int
) -> None:
    dead, ids = world.claim(), world.ids(campaign)
    assert dead
    world.pass_gate(dead, ids[:2])
    world.now += timedelta(seconds=61)
    assert world.claim(worker="b")
    deadline = timedelta(seconds=900)
    with world.database.write() as session:
        session.execute(update(newsletters).values(unknown_policy=policy))
        late_queries.keep_alive(session, now=world.now, late_after=LATE)
        early = ledger.resend_unknown(session, now=world.now, not_before=world.now - deadline)
        world.now += deadline
        late = ledger.resend_unknown(session, now=world.now, not_before=world.now - deadline)
    assert (early, late) == (0, back)
    assert world.states(campaign)[:2] == (["queued"] * 2 if back else ["unknown"] * 2)
