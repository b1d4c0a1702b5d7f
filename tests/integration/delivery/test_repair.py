"""Unknown copies settled, copies sent again, corrections, and ledgers rolled up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.model import Campaign, CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery import gate, ledger
from mailer.delivery import queries as delivery_queries
from mailer.delivery.archive import roll_up
from mailer.delivery.archive.queries import roll_up_some
from mailer.delivery.late import queries as late_queries
from mailer.delivery.model import DeliveryState, Outcome, Phase, Verdict
from mailer.delivery.plan import add_joined, count_joined
from mailer.delivery.repair import queries as repair_queries
from mailer.delivery.repair import settle
from mailer.delivery.retry import Decision
from mailer.delivery.tables import chunks, deliveries, intents, outcomes
from mailer.errors import AlreadyScheduled, CampaignRefused
from mailer.report import queries as report_queries
from mailer.report.explain import explain
from subscribers import address
from subscribers.queries import newsletter
from subscribers.reason import Reason
from subscribers.token import Scope, make
from tests.integration.delivery.conftest import World, simple_rendering

VERDICTS = {"sent": Verdict.SENT, "failed": Verdict.FAILED, "unknown": Verdict.UNKNOWN}


def send(world: World, campaign: int, *ends: str) -> list[int]:
    """Let the waiting copies fly, to end like this, in turn; gives their deliveries."""
    done: list[int] = []
    while claim := world.claim():
        with world.database.read() as session:
            waiting = delivery_queries.waiting(session, claim, after=0, now=world.now, limit=1000)
        passed = world.pass_gate(claim, [w.recipient.delivery_id for w in waiting])
        with world.database.write() as session:
            told = [
                Decision(outcome=ended(world, i.delivery_id, i.attempt, ends[n % len(ends)]))
                for n, i in enumerate(passed.intents)
            ]
            ledger.record_outcomes(session, told, now=world.now)
            gate.release(session, claim, now=world.now, not_before=world.now)
        done += [i.delivery_id for i in passed.intents]
    with world.database.write() as session:
        ledger.finish_complete(session, now=world.now)
    return done


def ended(world: World, delivery_id: int, attempt: int, end: str) -> Outcome:
    return Outcome(
        delivery_id=delivery_id,
        attempt=attempt,
        verdict=VERDICTS[end],
        phase=Phase.REPLY,
        at=world.now,
        code=250 if end == "sent" else 554,
        reason=Reason.UNKNOWN if end == "sent" else Reason.SPAM,
    )


def sent_campaign(world: World, *ends: str) -> int:
    """A finished campaign whose copies ended like this, one each."""
    world.add_people(*(f"p{n}@example.com" for n in range(len(ends))))
    campaign = world.add_campaign()
    world.plan(campaign)
    send(world, campaign, *ends)
    assert world.state(campaign) == "finished"
    return campaign


def put_back(world: World, campaign: int, state: DeliveryState, *, age: float = 0) -> int:
    with world.database.write() as session:
        return repair_queries.put_back(
            session,
            campaign,
            state,
            why=f"it was {state}; by hand",
            now=world.now,
            not_before=world.now - timedelta(seconds=age),
        )


def balanced(world: World, campaign: int) -> dict[str, int]:
    with world.database.read() as session:
        balance = ledger.balance(session, campaign)
        assert balance.balances
        assert report_queries.discrepancies(session, campaign) == []
    return {str(state): count for state, count in balance.states.items()}


def test_the_log_settles_what_it_proves_and_nothing_else(world: World) -> None:
    campaign = sent_campaign(world, "sent", "unknown", "unknown", "failed")
    [_, proved, unproved, _] = ids = world.ids(campaign)
    names = {i: make(world.keyring, Scope.VERP, i) for i in ids}
    with world.database.read() as session:
        listed = [*repair_queries.unknown_copies(session, campaign)]
    assert [(c.delivery_id, c.address) for c in listed] == [
        (proved, "p1@example.com"),
        (unproved, "p2@example.com"),
    ]
    log = [f"<{names[i]}@example.com>" for i in (ids[0], proved, ids[3])]
    world.now += timedelta(minutes=1)
    evidence = settle.proved(world.database, world.keyring, campaign, log)
    assert [*evidence] == [proved]
    assert settle.settle(world.database, evidence, now=world.now) == 1
    assert settle.settle(world.database, evidence, now=world.now) == 0
    assert world.states(campaign) == ["sent", "sent", "unknown", "failed"]
    assert balanced(world, campaign) == {"sent": 2, "unknown": 1, "failed": 1}
    with world.database.read() as session:
        story = delivery_queries.story(session, proved)
    assert "settled by evidence: named in the relay's list" in story[-1].evidence


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.UNKNOWN])
def test_what_is_put_back_is_sent_again_as_a_new_attempt(
    world: World, state: DeliveryState
) -> None:
    campaign = sent_campaign(world, "sent", str(state))
    world.now += timedelta(days=3)
    assert put_back(world, campaign, state) == 1
    assert put_back(world, campaign, state) == 0
    world.now += timedelta(minutes=1)
    assert world.state(campaign) == "sending"
    # Nobody takes it for late, and its time for trying begins anew.
    with world.database.write() as session:
        late = late_queries.pause_late(session, now=world.now, late_after=timedelta(hours=1))
    assert late == []
    assert send(world, campaign, "sent") == world.ids(campaign)[1:]
    assert world.states(campaign) == ["sent", "sent"]
    balanced(world, campaign)
    with world.database.read() as session:
        story = [step.what for step in delivery_queries.story(session, world.ids(campaign)[1])]
        assert report_queries.put_back(session, campaign) == 1
    assert story[2:] == [
        "put back by hand after attempt 1",
        "attempt 2: let fly through relay default",
        "attempt 2: sent in phase reply",
    ]


def test_who_may_not_be_mailed_any_more_is_not_put_back(world: World) -> None:
    campaign = sent_campaign(world, "failed", "failed")
    with world.database.read() as session:
        gone = session.execute(select(deliveries.c.subscriber_id).limit(1)).scalar_one()
    world.set_status(gone, "bounced")
    assert put_back(world, campaign, DeliveryState.FAILED) == 1
    assert sorted(world.states(campaign)) == ["failed", "queued"]


def test_what_may_still_be_under_way_is_not_put_back(world: World) -> None:
    campaign = sent_campaign(world, "unknown")
    assert put_back(world, campaign, DeliveryState.UNKNOWN, age=900) == 0
    world.now += timedelta(seconds=901)
    assert put_back(world, campaign, DeliveryState.UNKNOWN, age=900) == 1


def test_those_who_joined_since_get_theirs_once(world: World) -> None:
    campaign = sent_campaign(world, "sent", "failed", "unknown")
    world.add_people("late@example.com", "later@gmail.com")
    world.add_people("gone@example.com", status="unsubscribed")
    world.now += timedelta(days=1)
    with world.database.read() as session:
        assert count_joined(session, campaign, now=world.now) == 2
    added = add_joined(world.database, campaign, now=world.now, chunk_size=1, range_size=1)
    assert added == 2
    assert add_joined(world.database, campaign, now=world.now, chunk_size=1) == 0
    assert len(send(world, campaign, "sent")) == 2
    assert world.state(campaign) == "finished"
    assert balanced(world, campaign) == {"sent": 3, "failed": 1, "unknown": 1}


def original_of(world: World, campaign: int) -> Campaign:
    with world.database.read() as session:
        return campaign_queries.get(session, campaign)


def correct(world: World, original: int, words: str = "Corrected") -> int:
    with world.database.write() as session:
        return scheduling.correct(
            session,
            simple_rendering(words),
            original=original_of(world, original),
            newsletter=newsletter(session, world.newsletter_id),
            now=world.now,
        )


def test_a_correction_goes_to_exactly_those_who_have_the_old_version(world: World) -> None:
    campaign = sent_campaign(world, "sent", "failed", "unknown", "sent", "sent")
    world.add_people("new@example.com")
    with world.database.read() as session:
        people = [
            *session.execute(
                select(deliveries.c.subscriber_id)
                .where(deliveries.c.state == "sent")
                .order_by(deliveries.c.id)
            ).scalars()
        ]
    world.set_status(people[0], "unsubscribed")
    correction = correct(world, campaign)
    world.plan(correction)
    send(world, correction, "sent")
    with world.database.read() as session:
        got = session.execute(
            select(deliveries.c.subscriber_id).where(deliveries.c.campaign_id == correction)
        ).scalars()
        assert sorted(got) == people[1:]
    assert balanced(world, correction) == {"sent": 2}


@pytest.mark.parametrize("state", ["scheduled", "planning", "sending", "paused"])
def test_nothing_is_corrected_while_the_old_version_may_still_go_out(
    world: World, state: str
) -> None:
    campaign = sent_campaign(world, "sent")
    with world.database.write() as session:
        session.execute(update(campaigns).values(state=state))
    with pytest.raises(CampaignRefused, match=f"mailer campaign cancel {campaign}"):
        correct(world, campaign)


def test_the_same_content_corrects_nothing(world: World) -> None:
    campaign = sent_campaign(world, "sent")
    with pytest.raises(CampaignRefused, match="nothing is corrected"):
        correct(world, campaign, "Hello")


def test_a_ledger_rolled_up_still_answers(world: World) -> None:
    campaign = sent_campaign(world, "sent", "failed", "unknown", "sent")
    with world.database.write() as session:
        session.execute(
            update(deliveries)
            .where(deliveries.c.id == world.ids(campaign)[0])
            .values(later="bounced")
        )
    with world.database.read() as session:
        before = report_queries.campaign_report(session, campaign)
    world.now += timedelta(days=366)
    assert roll_up.roll_up(world.database, campaign, now=world.now) == 4
    assert roll_up.roll_up(world.database, campaign, now=world.now) == 0
    with world.database.read() as session:
        after = report_queries.campaign_report(session, campaign)
        for table in (deliveries, intents, outcomes, chunks):
            assert session.execute(select(func.count()).select_from(table)).scalar_one() == 0
        told = explain(session, address.parse("p0@example.com"), campaign, keyring=world.keyring)
    assert after.balance == before.balance
    assert sorted(after.reasons) == sorted(before.reasons)
    assert (after.attempts, after.later, after.first_at, after.last_at) == (
        before.attempts,
        before.later,
        before.first_at,
        before.last_at,
    )
    assert balanced(world, campaign) == {"sent": 2, "failed": 1, "unknown": 1}
    assert "rolled up" in told.verdict


def test_a_roll_up_that_is_cut_off_goes_on_and_balances_at_every_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = sent_campaign(world, *(["sent", "failed"] * 10))
    world.now += timedelta(days=366)
    monkeypatch.setattr("mailer.delivery.archive.queries.AT_ONCE", 7)
    with world.database.write() as session:
        assert roll_up_some(session, campaign) == 7
    assert balanced(world, campaign) == {"sent": 10, "failed": 10}
    assert roll_up.roll_up(world.database, campaign, now=world.now) == 13
    assert balanced(world, campaign) == {"sent": 10, "failed": 10}


def test_a_young_ledger_is_needed_by_links_and_one_in_use_by_workers(world: World) -> None:
    campaign = sent_campaign(world, "sent")
    with pytest.raises(CampaignRefused, match="unsubscribe links"):
        roll_up.roll_up(world.database, campaign, now=world.now + timedelta(days=364))
    with world.database.write() as session:
        session.execute(update(campaigns).values(state=CampaignState.SENDING))
    with pytest.raises(CampaignRefused, match="in use"):
        roll_up.roll_up(world.database, campaign, now=world.now + timedelta(days=400))


def test_an_issue_whose_ledger_is_gone_is_not_sent_again(world: World) -> None:
    campaign = sent_campaign(world, "sent")
    world.now += timedelta(days=366)
    roll_up.roll_up(world.database, campaign, now=world.now)
    with pytest.raises(AlreadyScheduled, match="rolled up"):
        scheduling.edition_of([original_of(world, campaign)], again=True)
    with pytest.raises(CampaignRefused, match="rolled up"):
        correct(world, campaign)
