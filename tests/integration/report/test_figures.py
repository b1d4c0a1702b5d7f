"""Reports on both databases, beside what the test itself has counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, update

from mailer.campaign import queries as campaign_queries
from mailer.delivery.archive import roll_up
from mailer.delivery.tables import deliveries
from mailer.report.compare.queries import Compared, begun, compare
from mailer.report.growth.periods import By, bounds_of
from mailer.report.growth.queries import Growth, growth
from mailer.report.page.campaign import campaign_page
from mailer.report.page.html import as_html
from mailer.report.queries import CampaignReport, campaign_report
from subscribers.database import Database
from tests.integration.report.conftest import LANES, Books

BERLIN = ZoneInfo("Europe/Berlin")
MONTHS = 6


def reported(books: Books, campaign: int) -> CampaignReport:
    with books.world.database.read() as session:
        return campaign_report(session, campaign)


def compared(books: Books, *ids: int) -> tuple[Compared, ...]:
    with books.world.database.read() as session:
        return compare(session, [campaign_queries.get(session, one) for one in ids])


def grown(books: Books, by: By, last: int) -> Growth:
    bounds = bounds_of(books.world.now, by, last=last, zone=BERLIN)
    with books.world.database.read() as session:
        return growth(session, books.newsletter, bounds, by=by)


def test_the_course_of_a_campaign(books: Books) -> None:
    books.add_issue(40)
    campaign = books.add_issue(200)
    course = reported(books, campaign).course
    assert course is not None
    times = [row["changed_at"] for row in books.copies_of(campaign, state="sent")]
    assert course.counts == tuple(
        sum(start <= at < end for at in times)  # type: ignore[operator]
        for start, end in pairwise(course.bounds)
    )
    assert sum(course.counts) == len(times)
    assert course.after == 0
    assert course.last_at == max(times)  # type: ignore[type-var]


def test_a_course_with_stragglers_shows_when_nearly_all_went(books: Books) -> None:
    campaign = books.add_issue(200)
    sent = len(books.copies_of(campaign, state="sent"))
    late = books.world.now + timedelta(days=2)
    with books.world.database.write() as session:
        one = deliveries.c.id == books.copies_of(campaign)[0]["id"]
        session.execute(update(deliveries).where(one).values(state="sent", changed_at=late))
    course = reported(books, campaign).course
    assert course is not None
    assert course.bounds[-1] - course.bounds[0] < timedelta(minutes=20)
    assert course.after == 1
    assert course.last_at == late
    assert abs(sum(course.counts) - sent) <= 1


def test_lanes_of_a_campaign(books: Books) -> None:
    books.add_issue(20)
    campaign = books.add_issue(100)
    told = {lane.lane: lane.states for lane in reported(books, campaign).lanes}
    counted = {
        lane: Counter(row["state"] for row in books.copies_of(campaign, lane=lane))
        for lane in LANES
    }
    assert told == counted
    sizes = [lane.copies for lane in reported(books, campaign).lanes]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("copies", [0, 1])
def test_the_smallest_campaigns(books: Books, copies: int) -> None:
    campaign = books.add_issue(copies)
    report = reported(books, campaign)
    sent = len(books.copies_of(campaign, state="sent"))
    assert (sum(report.course.counts) if report.course else 0) == sent
    assert sum(lane.copies for lane in report.lanes) == copies
    (one,) = compared(books, campaign)
    assert one.tried == copies - len(books.copies_of(campaign, state="skipped"))


def figures(books: Books, campaign: int) -> tuple[int, ...]:
    """What is compared, counted here."""
    sent = books.copies_of(campaign, state="sent")
    tried = [
        row for row in books.copies_of(campaign) if row["state"] in ("sent", "failed", "unknown")
    ]
    hard, soft = books.bounced(campaign)
    return (
        len(tried),
        len([row for row in sent if row["later"] != "bounced"]),
        hard,
        soft,
        books.people_who("complained", campaign),
        books.people_who("unsubscribed", campaign),
    )


def told(one: Compared) -> tuple[int, ...]:
    reaction = one.reaction
    return (
        one.tried,
        one.delivered,
        reaction.hard,
        reaction.soft,
        reaction.complained,
        reaction.unsubscribed,
    )


def test_issues_side_by_side_rolled_up_or_not(books: Books) -> None:
    ids = [books.add_issue(copies) for copies in (150, 0, 90)]
    counted = [figures(books, campaign) for campaign in ids]
    assert [told(one) for one in compared(books, *ids)] == counted
    assert [one.took for one in compared(books, *ids)] == [timedelta(minutes=15)] * 3
    states = compared(books, *ids)[0].states
    gone = roll_up.roll_up(books.world.database, ids[0], now=books.world.now + timedelta(days=400))
    assert gone == 150
    assert [told(one) for one in compared(books, *ids)] == counted
    assert compared(books, *ids)[0].states == states
    report = reported(books, ids[0])
    page = as_html(campaign_page(report, books.newsletter, BERLIN, now=books.world.now))
    assert page.count("is not kept any more") == 1
    assert (report.course, report.lanes) == (None, ())
    assert "not kept any more" in report.not_kept[0]
    assert report.reaction.hard == counted[0][2]
    assert report.unsubscribed == counted[0][5]


def test_the_newest_issues_are_those_that_began(books: Books) -> None:
    ids = [books.add_issue(1, ago=timedelta(days=days)) for days in (30, 5, 60)]
    books.add_issue(1, slug="daily")
    books.world.add_campaign()  # never began
    with books.world.database.read() as session:
        found = begun(session, books.newsletter.id, limit=2)
        assert [one.id for one in found] == [ids[0], ids[1]]
        since = begun(session, books.newsletter.id, since=books.world.now - timedelta(days=40))
        assert [one.id for one in since] == [ids[0], ids[1]]


@pytest.mark.parametrize(("by", "last"), [(By.WEEK, 10), (By.MONTH, MONTHS), (By.WEEK, 1)])
def test_growth_is_what_happened_in_each_period(books: Books, by: By, last: int) -> None:
    books.add_people(300)
    books.add_people(50, slug="daily")
    own = [row for row in books.places if row["newsletter_id"] == books.newsletter.id]
    found = grown(books, by, last)
    for period in found.periods:
        joined = Counter(
            row["source"]
            for row in own
            if row["status"] != "pending" and within(row["joined_at"], period.start, period.end)
        )
        left = Counter(
            row["status"]
            for row in own
            if row["status"] in ("unsubscribed", "bounced", "complained")
            and within(row["left_at"] or row["joined_at"], period.start, period.end)
        )
        assert period.joined == joined
        assert period.left == left
        assert period.net == joined.total() - left.total()
    active = sum(row["status"] == "active" for row in own)
    assert found.members == active
    assert found.before + sum(period.net for period in found.periods) == active
    assert found.periods[-1].members == active
    assert found.pending == sum(row["status"] == "pending" for row in own)


def within(at: object, start: datetime, end: datetime) -> bool:
    assert isinstance(at, datetime)
    return start <= at < end


def test_growth_tells_what_each_issue_did(books: Books) -> None:
    ids = [books.add_issue(80, ago=timedelta(days=days)) for days in (20, 10)]
    books.add_issue(5, ago=timedelta(days=300))
    issues = grown(books, By.WEEK, 6).issues
    assert [one.campaign for one in issues] == ids
    assert [(one.reaction.hard, one.reaction.soft) for one in issues] == [
        books.bounced(campaign) for campaign in ids
    ]


def test_growth_of_a_newsletter_without_people(books: Books) -> None:
    found = grown(books, By.WEEK, 3)
    assert [(one.net, one.members) for one in found.periods] == [(0, 0)] * 3
    assert found.issues == ()


# --- how the databases go about it --------------------------------------------------------------


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, object]]]:
    """The statements that are run meanwhile, with their parameters."""
    heard: list[tuple[str, object]] = []

    def hear(_c: object, _k: object, statement: str, values: object, *_: object) -> None:
        heard.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", hear)
    yield heard
    event.remove(database.engine, "before_cursor_execute", hear)


def plan_of(database: Database, statement: str, values: object) -> str:
    """How the database would find its rows, where tables are too big to be read through."""
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")
        rows = connection.exec_driver_sql(f"{explain} {statement}", values)  # type: ignore[arg-type]
        return "\n".join(str(row[-1]) for row in rows)


def test_no_big_table_is_read_through_and_no_copy_comes_by_itself(books: Books) -> None:
    books.add_people(20)
    ids = [books.add_issue(60), books.add_issue(60)]
    with statements(books.world.database) as heard:
        reported(books, ids[0])
        compared(books, *ids)
        grown(books, By.WEEK, 26)
    big = ("deliveries", "intents", "outcomes", "events", "subscriptions")
    read = [one for one in heard if any(f"FROM {table}" in one[0] for table in big)]
    assert len(read) >= 8
    for statement, values in read:
        # The database counts: what comes is a sum.
        assert re.search(r"\b(count|sum|min|max)\(", statement), statement
        plan = plan_of(books.world.database, statement, values)
        assert not re.search(rf"(SCAN|Seq Scan on) ({'|'.join(big)})\b", plan), plan
    about_events = [one for one in read if "FROM events" in one[0]]
    assert about_events
    for statement, values in about_events:
        assert "ix_events_campaign_id" in plan_of(books.world.database, statement, values)


def test_more_copies_need_no_more_statements(books: Books) -> None:
    counts = []
    for copies in (1, 150):
        campaign = books.add_issue(copies)
        with statements(books.world.database) as heard:
            compared(books, campaign)
        counts.append(len(heard))
    assert counts[0] == counts[1]
