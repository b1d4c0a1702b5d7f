"""One campaign for the readers of several newsletters: a copy each, by a consent of theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.model import Canary
from mailer.campaign.tables import campaigns
from mailer.delivery import ledger, refusals
from mailer.delivery.model import Claim, Outcome, Phase, Verdict
from mailer.delivery.plan import add_joined, count_joined
from mailer.delivery.retry import RetryPolicy, decide
from mailer.delivery.tables import chunks, deliveries
from mailer.errors import CampaignRefused
from mailer.report.explain import explain
from subscribers import address, queries
from subscribers.audience import Exclusion
from subscribers.model import Newsletter, Tracking
from subscribers.reason import Reason
from subscribers.segment import queries as segments
from subscribers.suppression.queries import named, suppress
from subscribers.tables import subscribers, subscriptions
from subscribers.union.queries import excluded, shares
from tests.integration.delivery.conftest import World, simple_rendering

WEEKLY, DAILY, EXTRA = "weekly", "daily", "extra"


@dataclass
class Press:
    """Three newsletters of one world, and people who stand somewhere in each."""

    world: World
    newsletters: dict[str, Newsletter]

    def person(self, name: str, **statuses: str) -> int:
        """Somebody with a status in each newsletter that is named."""
        (person,) = self.world.add_people(f"{name}@example.com", status="unsubscribed")
        with self.world.database.write() as session:
            session.execute(subscriptions.delete().where(subscriptions.c.subscriber_id == person))
            for slug, status in statuses.items():
                session.execute(
                    insert(subscriptions).values(
                        newsletter_id=self.newsletters[slug].id,
                        subscriber_id=person,
                        status=status,
                        joined_at=self.world.now,
                        source=f"to {slug}",
                        soft_bounces=0,
                    )
                )
        return person

    def change(self, person: int, slug: str, **values: object) -> None:
        """Change what stands of a person in one newsletter."""
        with self.world.database.write() as session:
            session.execute(
                update(subscriptions)
                .where(
                    subscriptions.c.subscriber_id == person,
                    subscriptions.c.newsletter_id == self.newsletters[slug].id,
                )
                .values(**values)
            )

    def status(self, person: int, slug: str) -> str:
        """Where a person stands."""
        with self.world.database.read() as session:
            return session.execute(
                select(subscriptions.c.status).where(
                    subscriptions.c.subscriber_id == person,
                    subscriptions.c.newsletter_id == self.newsletters[slug].id,
                )
            ).scalar_one()

    def suppress(self, what: str, slug: str | None = None) -> None:
        """Never mail an address or a domain; for one newsletter, or at all."""
        with self.world.database.write() as session:
            suppress(
                session,
                named(what),
                keyring=self.world.keyring,
                newsletter_id=self.newsletters[slug].id if slug else 0,
                now=self.world.now,
            )

    def ids(self, *slugs: str) -> tuple[int, ...]:
        return tuple(self.newsletters[slug].id for slug in slugs)

    def campaign(self, *also: str, words: str | None = None, **told: object) -> int:
        """A campaign of Weekly and some more newsletters."""
        made = self.world.add_campaign(also=self.ids(*also), **told)  # type: ignore[arg-type]
        with self.world.database.write() as session:
            session.execute(update(campaigns).where(campaigns.c.id == made).values(segment=words))
        return made

    def got(self, campaign: int) -> dict[int, str]:
        """By which newsletter each person gets a campaign; each of them once."""
        slugs = {one.id: slug for slug, one in self.newsletters.items()}
        own = self.world.newsletter_id
        with self.world.database.read() as session:
            rows = session.execute(
                select(deliveries).where(deliveries.c.campaign_id == campaign)
            ).all()
        found = {row.subscriber_id: slugs[row.newsletter_id or own] for row in rows}
        assert len(found) == len(rows)
        assert all(row.newsletter_id != own for row in rows), "null says the campaign's own"
        return found


@pytest.fixture
def press(world: World) -> Press:
    with world.database.write() as session:
        weekly = queries.newsletter(session, world.newsletter_id)
        others = {
            slug: queries.add_newsletter(
                session, replace(weekly, slug=slug, name=slug.title()), now=world.now
            )
            for slug in (EXTRA, DAILY)
        }
    return Press(world=world, newsletters={WEEKLY: weekly, **others})


def mixed(press: Press) -> dict[int, str]:
    """People in every position; those who get it, by which newsletter that must be."""
    press.person("none")
    press.person("left", weekly="unsubscribed", daily="unsubscribed")
    press.person("waits", daily="pending")
    press.person("spam", weekly="complained", extra="bounced")
    return {
        press.person("all", weekly="active", daily="active", extra="active"): WEEKLY,
        press.person("weekly", weekly="active"): WEEKLY,
        press.person("daily", daily="active"): DAILY,
        press.person("moved", weekly="unsubscribed", daily="active"): DAILY,
        press.person("others", daily="active", extra="active"): DAILY,
        press.person("rest", weekly="pending", daily="bounced", extra="active"): EXTRA,
    }


def test_each_person_once_by_the_first_that_may_mail_them(press: Press) -> None:
    expected = mixed(press)
    for range_size in (1, 4, 5000):
        campaign = press.campaign(DAILY, EXTRA, rendering=simple_rendering(str(range_size)))
        press.world.plan(campaign, range_size=range_size)
        assert press.got(campaign) == expected
        with press.world.database.read() as session:
            balance = ledger.balance(session, campaign)
        assert balance.audience == len(expected)
        assert balance.balances


def test_the_order_given_decides_among_the_others(press: Press) -> None:
    both = press.person("both", daily="active", extra="active")
    for also in ((DAILY, EXTRA), (EXTRA, DAILY)):
        campaign = press.campaign(*also, words=None, rendering=simple_rendering(also[0]))
        press.world.plan(campaign)
        assert press.got(campaign) == {both: also[0]}


def test_what_is_suppressed_or_paused_in_one_newsletter_is_in_that_alone(press: Press) -> None:
    one = press.person("one", weekly="active", daily="active")
    press.person("two", weekly="active", daily="active")
    three = press.person("three", weekly="active", daily="active", extra="active")
    pauses = press.person("pauses", weekly="active", daily="active")
    press.suppress("one@example.com", WEEKLY)
    press.suppress("two@example.com")
    press.suppress("three@example.com", WEEKLY)
    press.suppress("three@example.com", DAILY)
    press.change(pauses, WEEKLY, paused_until=datetime.now(UTC) + timedelta(days=9))
    campaign = press.campaign(DAILY, EXTRA)
    press.world.plan(campaign)
    assert press.got(campaign) == {one: DAILY, three: EXTRA, pauses: DAILY}
    press.suppress("example.com", WEEKLY)
    press.suppress("example.com", DAILY)
    other = press.campaign(DAILY, EXTRA, rendering=simple_rendering("domain"))
    press.world.plan(other)
    assert press.got(other) == {three: EXTRA}


def test_consent_stands_over_a_segment_which_narrows_all_of_them(press: Press) -> None:
    mixed(press)
    asked = "address = daily@example.com or address = all@example.com or address = left@example.com"
    with press.world.database.write() as session:
        words = segments.combined(session, [asked], ["newsletter:extra"])
    campaign = press.campaign(DAILY, words=words)
    press.world.plan(campaign)
    assert [*press.got(campaign).values()] == [DAILY], "all is in extra, left has left"
    by_source = press.campaign(
        DAILY, words='source = "to daily"', rendering=simple_rendering("by source")
    )
    press.world.plan(by_source)
    assert {*press.got(by_source).values()} == {DAILY}, "asked of the subscription that counts"


def test_a_canary_and_peoples_own_clocks_keep_the_consents(press: Press) -> None:
    expected = mixed(press)
    with press.world.database.write() as session:
        session.execute(
            update(subscribers)
            .where(subscribers.c.id.in_([*expected][::2]))
            .values(timezone="America/New_York")
        )
    by_clock = press.campaign(DAILY, EXTRA, local_at="2026-12-01 09:00", timezone="Europe/London")
    three = Canary(size=3, hold=timedelta(hours=1))
    canary = press.campaign(DAILY, EXTRA, canary=three, rendering=simple_rendering("2"))
    for campaign in (by_clock, canary):
        press.world.plan(campaign, range_size=4)
        assert press.got(campaign) == expected
    with press.world.database.read() as session:
        opened = session.scalars(
            select(chunks.c.opens_at).where(chunks.c.campaign_id == by_clock).distinct()
        )
        assert sorted(at.hour for at in opened) == [9, 14]


def fly(
    press: Press, campaign: int, *, claim: Claim | None = None
) -> dict[int, tuple[str, str | None]]:
    """Ask the gate for every copy; gives state and reason by person."""
    claim = claim or press.world.claim()
    assert claim is not None
    passed = press.world.pass_gate(claim, press.world.ids(campaign))
    assert not passed.stop
    with press.world.database.read() as session:
        rows = session.execute(select(deliveries).where(deliveries.c.campaign_id == campaign))
        return {row.subscriber_id: (row.state, row.reason) for row in rows}


def test_the_gate_asks_for_the_consent_by_which_a_copy_goes(press: Press) -> None:
    stays = press.person("stays", daily="active")
    left = press.person("left", weekly="active", daily="active")
    left_daily = press.person("left-daily", daily="active", extra="active")
    left_other = press.person("other", weekly="active", daily="active")
    complained = press.person("complained", daily="active")
    suppressed = press.person("suppressed", daily="active")
    elsewhere = press.person("elsewhere", daily="active")
    campaign = press.campaign(DAILY, EXTRA)
    press.world.plan(campaign)
    claim = press.world.claim()
    press.change(left, WEEKLY, status="unsubscribed")
    press.change(left_daily, DAILY, status="unsubscribed")
    press.change(left_other, DAILY, status="unsubscribed")
    press.change(complained, DAILY, status="complained")
    press.suppress("suppressed@example.com", DAILY)
    press.suppress("elsewhere@example.com", WEEKLY)
    assert fly(press, campaign, claim=claim) == {
        stays: ("sending", None),
        left: ("skipped", "unsubscribed"),
        left_daily: ("skipped", "unsubscribed"),
        left_other: ("sending", None),
        complained: ("skipped", "complained"),
        suppressed: ("skipped", "suppressed"),
        elsewhere: ("sending", None),
    }


def test_a_refused_address_counts_against_the_newsletter_it_was_mailed_for(press: Press) -> None:
    person = press.person("gone", weekly="unsubscribed", daily="active", extra="active")
    campaign = press.campaign(DAILY)
    press.world.plan(campaign)
    fly(press, campaign)
    (delivery,) = press.world.ids(campaign)
    outcome = Outcome(
        delivery_id=delivery,
        attempt=1,
        verdict=Verdict.FAILED,
        phase=Phase.RCPT,
        at=press.world.now,
        code=550,
        reason=Reason.MAILBOX_FULL,
    )
    with press.world.database.write() as session:
        refusals.report(session, [outcome], now=press.world.now)
        soft = session.execute(
            select(subscriptions.c.newsletter_id, subscriptions.c.soft_bounces).where(
                subscriptions.c.subscriber_id == person, subscriptions.c.soft_bounces > 0
            )
        ).all()
    assert [tuple(row) for row in soft] == [(press.newsletters[DAILY].id, 1)]


def sent(press: Press, campaign: int) -> None:
    """Send all of a campaign that the gate lets fly."""
    fly(press, campaign)
    policy = RetryPolicy(
        first=timedelta(seconds=1), most=timedelta(seconds=9), give_up_after=timedelta(hours=1)
    )
    told = [press.world.outcome(one, Verdict.SENT) for one in press.world.ids(campaign)]
    with press.world.database.write() as session:
        ledger.record_outcomes(
            session,
            [decide(one, first_at=press.world.now, policy=policy) for one in told],
            now=press.world.now,
        )
        session.execute(
            update(chunks)
            .where(chunks.c.campaign_id == campaign)
            .values(due_at=None, owner=None, lease_until=None)
        )
        ledger.finish_complete(session, now=press.world.now)


def test_who_joined_any_of_them_since_gets_it_once(press: Press) -> None:
    first = press.person("first", weekly="active")
    campaign = press.campaign(DAILY)
    press.world.plan(campaign)
    sent(press, campaign)
    press.change(first, WEEKLY, status="unsubscribed")
    second = press.person("second", daily="active")
    third = press.person("third", weekly="active", daily="active")
    press.person("fourth", extra="active")
    with press.world.database.read() as session:
        assert count_joined(session, campaign, now=press.world.now) == 2
    for more in (2, 0):
        added = add_joined(press.world.database, campaign, now=press.world.now, chunk_size=9)
        assert added == more
    assert press.got(campaign) == {first: WEEKLY, second: DAILY, third: WEEKLY}


def test_a_correction_goes_to_who_has_it_by_a_consent_that_still_holds(press: Press) -> None:
    stays = press.person("stays", daily="active")
    moved = press.person("moved", weekly="active", daily="active")
    gone = press.person("gone", daily="active")
    campaign = press.campaign(DAILY)
    press.world.plan(campaign)
    sent(press, campaign)
    press.change(moved, WEEKLY, status="unsubscribed")
    press.change(gone, DAILY, status="unsubscribed")
    press.person("new", weekly="active")
    with press.world.database.write() as session:
        correction = scheduling.correct(
            session,
            simple_rendering("Mended"),
            original=campaign_queries.get(session, campaign),
            newsletter=press.newsletters[WEEKLY],
            now=press.world.now,
        )
    press.world.plan(correction)
    assert press.got(correction) == {stays: DAILY, moved: DAILY}


def test_explain_says_by_whose_consent(press: Press) -> None:
    press.person("daily", daily="active")
    press.person("left", weekly="unsubscribed", daily="pending")
    press.person("extra", extra="active")
    campaign = press.campaign(DAILY)
    press.world.plan(campaign)

    def told(name: str) -> str:
        with press.world.database.read() as session:
            found = explain(
                session,
                address.parse(f"{name}@example.com"),
                campaign,
                keyring=press.world.keyring,
            )
        return found.verdict

    assert told("daily") == "no copy yet: it waits for its turn; by the consent to Daily"
    assert "stands at 'unsubscribed' and 'pending' now" in told("left")
    assert told("extra") == "got no copy: not subscribed to any of its newsletters"


def test_people_are_counted_once_where_their_consent_is(press: Press) -> None:
    expected = mixed(press)
    ids = press.ids(WEEKLY, DAILY, EXTRA)
    with press.world.database.read() as session:
        found = shares(session, ids, None, now=press.world.now)
        out = excluded(session, ids)
    slugs = {one.id: slug for slug, one in press.newsletters.items()}
    assert {slugs[one.newsletter_id]: one.people for one in found} == {
        slug: [*expected.values()].count(slug) for slug in (WEEKLY, DAILY, EXTRA)
    }
    assert out == {
        Exclusion.UNSUBSCRIBED: 1,
        Exclusion.COMPLAINED: 1,
        Exclusion.NOT_CONFIRMED: 1,
    }


def test_a_newsletter_named_twice_is_refused_and_the_least_is_counted(press: Press) -> None:
    weekly, daily = press.newsletters[WEEKLY], press.newsletters[DAILY]
    weekly = replace(weekly, tracking=Tracking.FULL)

    def schedule(*also: Newsletter, words: str) -> Tracking:
        with press.world.database.write() as session:
            made = scheduling.schedule(
                session,
                simple_rendering(words),
                newsletter=weekly,
                also=also,
                issue_number=None,
                due_at=press.world.now,
                timezone="UTC",
                now=press.world.now,
            )
            return campaign_queries.get(session, made).tracking

    for named_twice in ([weekly], [daily, daily]):
        with pytest.raises(CampaignRefused, match="named twice"):
            schedule(*named_twice, words="x")
    assert schedule(words="alone") is Tracking.FULL
    assert schedule(daily, words="both") is Tracking.OFF
