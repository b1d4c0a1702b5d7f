"""The archive: what went out to all, for everybody, and nothing personal in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from lxml import html
from sqlalchemy import update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.freeze import look_of
from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.issue.parse import parse, read
from mailer.render.model import Rendering
from mailer.render.render import render
from mailer.resources import templates
from subscribers import queries as people
from tests.integration.feedback.world import World, rendering
from tests.integration.web.client import Client

SITE = "https://news.example.com"
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def put_out(
    world: World,
    content: Rendering,
    *,
    number: int | None = None,
    state: CampaignState = CampaignState.FINISHED,
    segment: str | None = None,
    corrects: int | None = None,
    kind: CampaignKind = CampaignKind.ISSUE,
    started: bool = True,
    edition: int = 0,
    days_ago: int = 0,
) -> int:
    """A campaign as it stands after it went out."""
    at = world.now - timedelta(days=days_ago)
    with world.database.write() as session:
        made = campaign_queries.add(
            session,
            content,
            kind=kind,
            newsletter_id=world.newsletters["weekly"].id,
            issue_number=number,
            checksum=f"{content.checksum}{edition}",
            edition=edition,
            due_at=at,
            timezone="UTC",
            segment=segment,
            corrects=corrects,
            now=at,
        )
        session.execute(
            update(campaigns)
            .where(campaigns.c.id == made)
            .values(state=state, snapshot_at=at if started else None)
        )
    return made


def issue(words: str) -> Rendering:
    return rendering(f"<!doctype html><html><head></head><body><p>{words}</p></body></html>")


def names(client: Client) -> list[str]:
    page = html.fromstring(client.get("/archive/weekly").text)
    return [href.rpartition("/")[2] for href in page.xpath("//li//a/@href")]


@pytest.mark.parametrize("theme", ["letter", "digest", "magazine"])
def test_an_issue_is_shown_to_everybody(client: Client, world: World, theme: str) -> None:
    source = templates() / "sample" / "issue.md"
    text = read(source).replace("lang: en", "lang: en\ncanonical_url: https://example.com/30", 1)
    newsletter = world.newsletters["weekly"]
    content = render(parse("issue.md", text), look_of(newsletter), theme=theme)
    put_out(world, content, number=30)

    got = client.get("/archive/weekly/30")
    assert got.status_code == 200
    page = html.fromstring(got.text)
    links = set(page.xpath("//a/@href"))
    assert not [link for link in links if "personal.invalid" in link or "/u/" in link]
    assert "personal.invalid" not in got.text
    assert "zq" + content.nonce not in got.text
    assert "Unsubscribe" not in page.text_content()
    assert "Hello there" in page.text_content()

    mailed = html.fromstring(content.html)
    theirs = {each for each in mailed.xpath("//a/@href") if each.startswith("http")}
    called = set(mailed.xpath("//table[@class='buttons']//a/@href"))
    assert theirs - called <= links

    [form] = page.xpath("//form")
    assert form.get("action") == f"{SITE}/s/weekly"
    assert page.xpath("//link[@rel='canonical']/@href") == ["https://example.com/30"]
    assert page.xpath("//meta[@property='og:title']/@content") == [content.title]
    assert page.xpath("//link[@type='application/atom+xml']/@href") == [
        f"{SITE}/archive/weekly/feed.xml"
    ]
    assert got.headers["x-robots-tag"] == "all"
    assert "default-src 'none'" in got.headers["content-security-policy"]
    assert client.send("HEAD", "/archive/weekly/30").status_code == 200


def test_a_bare_number_leads_to_the_first_newsletter(client: Client, world: World) -> None:
    put_out(world, issue("one"), number=30)
    got = client.get("/archive/30")
    assert (got.status_code, got.headers["location"]) == (307, f"{SITE}/archive/weekly/30")
    for absent in ("/archive/31", "/archive/weekly/31", "/archive/nobody", "/archive/weekly/x"):
        assert client.get(absent).status_code in (400, 404), absent


def test_only_what_went_out_to_all_is_shown(client: Client, world: World) -> None:
    put_out(world, issue("first"), number=1, days_ago=9)
    secret = put_out(world, issue("for payers"), number=2, segment='plan = "pro"', days_ago=8)
    put_out(world, issue("for payers, mended"), number=3, corrects=secret, days_ago=8)
    put_out(world, issue("later"), number=4, state=CampaignState.SCHEDULED, started=False)
    put_out(world, issue("stopped"), number=5, state=CampaignState.CANCELLED)
    put_out(world, issue("a test"), kind=CampaignKind.TEST)
    under_way = put_out(world, issue("no number"), state=CampaignState.SENDING)
    assert names(client) == [f"c{under_way}", "1"]
    for name in ("2", "3", "4", "5"):
        assert client.get(f"/archive/weekly/{name}").status_code == 404, name
    feed = ElementTree.fromstring(client.get("/archive/weekly/feed.xml").content)
    assert len(feed.findall("a:entry", ATOM)) == 2
    told = client.get("/sitemap.xml").text
    assert told.count("<loc>") == 4  # two newsletters, two issues
    assert "for payers" not in told


def test_a_correction_takes_the_place_of_what_it_corrects(client: Client, world: World) -> None:
    first = put_out(world, issue("with a mistake"), number=7, days_ago=3)
    put_out(world, issue("mended"), number=7, corrects=first, edition=1)
    assert names(client) == ["7"]
    assert "mended" in client.get("/archive/weekly/7").text
    entry = ElementTree.fromstring(client.get("/archive/weekly/feed.xml").content).find(
        "a:entry", ATOM
    )
    assert entry is not None
    dates = [entry.findtext(f"a:{each}", namespaces=ATOM) for each in ("published", "updated")]
    assert dates == [(world.now - timedelta(days=3)).isoformat(), world.now.isoformat()]


def test_a_closed_archive_shows_nothing(client: Client, world: World) -> None:
    put_out(world, issue("one"), number=1)
    with world.database.write() as session:
        people.set_newsletter(session, replace(world.newsletters["weekly"], archive=False))
    for path in ("/archive/weekly", "/archive/weekly/1", "/archive/weekly/feed.xml", "/archive/1"):
        assert client.get(path).status_code == 404, path
    assert "Weekly" not in client.get("/archive").text
    assert "weekly" not in client.get("/sitemap.xml").text


def test_readers_can_walk_from_issue_to_issue(client: Client, world: World) -> None:
    for number in (1, 2, 3):
        put_out(world, issue(f"issue {number}"), number=number, days_ago=9 - number)
    page = html.fromstring(client.get("/archive/weekly/2").text)
    assert page.xpath("//a[@rel='prev']/@href") == [f"{SITE}/archive/weekly/1"]
    assert page.xpath("//a[@rel='next']/@href") == [f"{SITE}/archive/weekly/3"]
