"""Pages of reports in a real Chromium: whole, harmless, and judged by axe-core."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from lxml.html import document_fromstring
from sqlalchemy import insert

from mailer.campaign import queries as campaign_queries
from mailer.campaign.tables import links
from mailer.feedback.tables import looks
from mailer.render.chromium import Page as Tab
from mailer.report.compare.queries import compare
from mailer.report.growth.periods import By, bounds_of
from mailer.report.growth.queries import growth
from mailer.report.page.campaign import campaign_page
from mailer.report.page.compare import compare_page
from mailer.report.page.growth import growth_page
from mailer.report.page.html import as_html
from mailer.report.queries import campaign_report
from subscribers.database import Database
from subscribers.model import Tracking
from tests.integration.feedback.world import World
from tests.integration.report.conftest import Books
from tests.services.judges import Node

NAME = (
    "<script>window.hit = 1</script><img src=x onerror='window.hit=1'> مرحبا \u202egpj & \"Co\" ]]>"
)
HANDLES = "//script | //link | //img | //iframe | //@href | //@src | //@style"
URL = "https://e.org/<script>window.hit=1</script>?a=1&b='\"onload=window.hit=1 "
ZONE = ZoneInfo("Asia/Kathmandu")
_AXE = "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id))"


@pytest.fixture
def books(sqlite_url: str, chance: random.Random) -> Iterator[Books]:
    """One database is enough here: figures are asked of both elsewhere."""
    world = World(database=Database(sqlite_url), now=datetime(2026, 12, 2, 12, 30, tzinfo=UTC))
    world.add_newsletter("weekly")
    yield Books(world=world, chance=chance)
    world.database.dispose()


def pages(books: Books, *ids: int) -> dict[str, str]:
    """Every kind of page about these campaigns, the first of them by itself."""
    now, newsletter = books.world.now, replace(books.newsletter, name=NAME)
    with books.world.database.read() as session:
        issues = [campaign_queries.get(session, one) for one in ids]
        bounds = bounds_of(now, By.WEEK, last=9, zone=ZONE)
        made = {
            "campaign": campaign_page(campaign_report(session, ids[0]), newsletter, ZONE, now=now),
            "growth": growth_page(growth(session, newsletter, bounds, by=By.WEEK), ZONE, now=now),
            "compare": compare_page(compare(session, issues), ZONE, now=now),
        }
    return {name: as_html(page) for name, page in made.items()}


@pytest.fixture(params=["hostile", "nobody", "one"])
def world_pages(request: pytest.FixtureRequest, books: Books) -> dict[str, str]:
    """Pages about hostile names, about nobody at all, and about a single person."""
    if request.param == "hostile":
        books.add_people(60)
        ids = [
            books.add_issue(80, subject=NAME, ago=timedelta(days=days), tracking=tracking)
            for days, tracking in ((9, Tracking.FULL), (2, Tracking.OFF))
        ]
        follow(books, ids[0])
        return pages(books, *ids)
    if request.param == "one":
        books.add_people(1)
    copies = 1 if request.param == "one" else 0
    return pages(books, books.add_issue(copies, subject="", tracking=Tracking.ANONYMOUS))


def follow(books: Books, campaign: int) -> None:
    """A link that was followed by people and by machines."""
    rows = [
        {"campaign_id": campaign, "link": link, "type": kind, "looker": looker}
        | {"count": count, "people": 2}
        for kind, link in (("opened", 0), ("clicked", 0), ("clicked", 1))
        for looker, count in (("person", 5), ("burst", 7))
    ]
    with books.world.database.write() as session:
        session.execute(insert(links).values(campaign_id=campaign, number=1, url=URL))
        session.execute(insert(looks), rows)


def test_pages_are_whole_and_harmless(
    world_pages: dict[str, str], browser: Tab, node: Node
) -> None:
    for name, html in world_pages.items():
        hostile = "window.hit" in html
        for dark, width in ((False, 1200), (True, 390)) if hostile else ((True, 390),):
            browser.refused.clear()
            browser.show(html, width=width, dark=dark)
            assert browser.evaluate("window.hit === undefined"), name
            wide = browser.evaluate("document.documentElement.scrollWidth")
            assert wide == width, name
            assert browser.evaluate("document.scripts.length + document.images.length") == 0
            browser.evaluate(f"{node.axe}; 0")
            assert browser.evaluate(_AXE) == [], (name, dark)
            assert browser.refused == []


def test_plots_tell_in_words_what_they_show(world_pages: dict[str, str]) -> None:
    for html in world_pages.values():
        page = document_fromstring(html)
        plots = page.xpath("//svg[@role='img']")
        for plot in plots:
            ids = plot.get("aria-labelledby").split()
            title, says = (plot.xpath(f".//*[@id='{one}']")[0].text_content() for one in ids)
            assert title.strip()
            assert says.endswith(".")
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids))
        numbers = [float(each) for each in page.xpath("//rect/@width | //rect/@height")]
        assert all(number > 0 for number in numbers)


def test_nothing_is_fetched_from_anywhere(world_pages: dict[str, str]) -> None:
    for html in world_pages.values():
        page = document_fromstring(html)
        assert page.xpath(HANDLES) == []
        assert not [name for name in page.xpath("//@*") if name.attrname.startswith("on")]
        assert "url(" not in re.sub(r"(?s)<body>.*", "", html)


def test_the_curve_is_drawn_through_what_was_counted(books: Books) -> None:
    campaign = books.add_issue(150)
    sent = len(books.copies_of(campaign, state="sent"))
    page = document_fromstring(pages(books, campaign)["campaign"])
    (line,) = page.xpath("//polyline[@class='line']/@points")
    ends = [float(point.partition(",")[2]) for point in line.split()]
    # Ticks and their heights tell what a height on the curve means.
    section = page.xpath("//section")[0]
    ticks = {
        float(label.get("y")) - 4.5: int(label.text)
        for label in section.xpath(".//text[@text-anchor='end']")
    }
    (low, _), (high, top) = max(ticks.items()), min(ticks.items())
    assert ends[0] == low
    assert (low - ends[-1]) / (low - high) * top == pytest.approx(sent, abs=0.1)
    assert ends == sorted(ends, reverse=True)


def test_names_stand_there_as_they_are(books: Books) -> None:
    books.add_people(3)
    campaign = books.add_issue(10, subject=NAME)
    made = pages(books, campaign)
    heading = document_fromstring(made["campaign"]).xpath("//h1")[0]
    # In an element of its own, it turns nothing around it.
    assert [child.tag for child in heading] == ["bdi"]
    assert heading.text_content() == " ".join(NAME.replace("\u202e", "").split())
    assert NAME[:30] in document_fromstring(made["growth"]).xpath("//title")[0].text_content()
