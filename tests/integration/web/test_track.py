"""Counted links and the pixel: where they lead, what is kept of it, and what never is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import MetaData, select, update

from mailer.campaign.tables import campaigns
from mailer.campaign.track import click_url
from mailer.delivery.tables import outcomes
from mailer.report.looks.queries import Looks
from mailer.report.queries import campaign_report
from mailer.web.app import create_app
from mailer.web.looks import LookKeeper
from mailer.web.services import WebServices
from subscribers import address
from subscribers import queries as people
from subscribers.database import Database
from subscribers.model import Tracking
from subscribers.privacy.queries import events_of
from subscribers.tables import events, subscriptions
from subscribers.token import Scope
from tests.integration.feedback.world import World, rendering
from tests.integration.web.client import Client

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"
URLS = (
    "https://a.example/?x=1&y=2#z",
    "https://b.example/",
    "https://c.example/ü",
    "http://d.example",
)
LINKED = rendering(
    "<p>" + "".join(f'<a href="{url.replace("&", "&amp;")}">x</a>' for url in URLS) + "</p>"
)


@dataclass
class Reader:
    """Whoever follows the links of one copy, or of a campaign."""

    client: Client
    base: str
    agent: str = FIREFOX

    def get(self, place: object, *, agent: str | None = None, **options: object) -> httpx.Response:
        headers = {"user-agent": self.agent if agent is None else agent}
        return self.client.get(f"{self.base}/{place}", headers=headers, **options)

    def head(self, place: object) -> httpx.Response:
        return self.client.send("HEAD", f"{self.base}/{place}", headers={"user-agent": self.agent})


@dataclass
class Post:
    """A campaign that was sent, with an app that serves its links."""

    world: World
    app: FastAPI
    tracking: Tracking
    campaign: int = 0
    copies: dict[str, int] = field(default_factory=dict)
    persons: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.campaign = self.world.add_campaign(LINKED, tracking=self.tracking)
        self.client = Client(httpx.ASGITransport(app=self.app, raise_app_exceptions=False))

    def reader(self, name: str, **options: str) -> Reader:
        """Somebody with a copy that a relay took an hour ago."""
        to = f"{name}@example.org"
        if name not in self.copies:
            self.persons[name] = self.world.add_person(to)
            self.copies[name] = self.world.add_copy(self.campaign, to, self.persons[name])
            self.pass_time(3600)
        named = self.copies[name] if self.tracking is Tracking.FULL else 0
        base = click_url("", self.world.keyring, self.campaign, named)
        return Reader(self.client, base, **options)

    def pass_time(self, seconds: float) -> None:
        self.world.now += timedelta(seconds=seconds)

    def record(self, keeper: LookKeeper | None = None) -> None:
        """Let the time pass that looks wait for others, then record them."""
        self.pass_time(11)
        asyncio.run((keeper or self.app.state.looks).record())

    def looks(self) -> Looks:
        with self.world.database.read() as session:
            found = campaign_report(session, self.campaign).looks
        assert found is not None
        return found

    def figures(self) -> tuple[tuple[int, int, int | None], tuple[int, int, int | None]]:
        """Opens and clicks: raw, human, people."""
        looks = self.looks()
        opens, clicks = looks.opens, looks.clicks
        return (opens.raw, opens.human, opens.people), (clicks.raw, clicks.human, clicks.people)

    def last_looks(self, name: str) -> tuple[object, object]:
        """When a person last opened and clicked, as segments ask."""
        with self.world.database.read() as session:
            row = session.execute(
                select(subscriptions.c.last_opened_at, subscriptions.c.last_clicked_at).where(
                    subscriptions.c.subscriber_id == self.persons[name]
                )
            ).one()
        return row.last_opened_at, row.last_clicked_at

    def events(self) -> list[tuple[str, str]]:
        """What is recorded of people by name: type, and the link's number."""
        with self.world.database.read() as session:
            rows = session.execute(
                select(events.c.type, events.c.evidence)
                .where(events.c.type.in_(["opened", "clicked"]))
                .order_by(events.c.id)
            )
            return [(row.type, row.evidence.get("link", "")) for row in rows]


@pytest.fixture
def app(services: WebServices) -> FastAPI:
    return create_app(services)


@pytest.fixture
def full(world: World, app: FastAPI) -> Post:
    return Post(world, app, Tracking.FULL)


@pytest.fixture
def anonymous(world: World, app: FastAPI) -> Post:
    return Post(world, app, Tracking.ANONYMOUS)


# --- where links lead ---------------------------------------------------------------------------


def test_links_lead_where_the_author_wrote_and_the_pixel_is_a_picture(full: Post) -> None:
    ada = full.reader("ada")
    for number, url in enumerate(URLS, 1):
        answer = ada.get(number)
        assert answer.status_code == 302
        assert answer.headers["location"] == url.replace("ü", "%C3%BC")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert ada.head(number).headers["location"] == answer.headers["location"]
    pixel = ada.get("open.gif")
    assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
    assert pixel.headers["cross-origin-resource-policy"] == "cross-origin"
    assert pixel.content.startswith(b"GIF89a")
    assert "machines" in ada.get(0).text


def test_numbers_that_are_none_of_the_campaigns_lead_nowhere(full: Post) -> None:
    ada = full.reader("ada")
    for place in (
        "5", "99999", "999999999999999999999", "-1", "01", "1.0", "1e0", "+1", "0x1", "%C2%B9",
        "%D9%A1", "1%00", "%20", "OPEN.GIF", "https:%2F%2Fevil.example", "1%0d%0aSet-Cookie:x",
        "..%2f1", "9" * 5000,
    ):  # fmt: skip
        answer = ada.get(place)
        assert answer.status_code == 404, place
        assert not {"location", "set-cookie"} & answer.headers.keys()
    full.record()
    assert full.figures() == ((0, 0, 0), (0, 0, 0))
    assert ada.get("1?url=https://evil.example").headers["location"] == URLS[0]


def test_tokens_that_were_tampered_with_lead_nowhere(full: Post, world: World) -> None:
    ada = full.reader("ada")
    token = ada.base.removeprefix("/c/")
    other = "A" if token[9] != "A" else "B"
    hostile = [
        token[:-1], token + "A", token[:9] + other + token[10:], token.lower(), token[::-1], "x",
        "A" * 34, "A" * 30_000, "%00", "..", token.replace(token[0], "é"),
        world.token(Scope.UNSUBSCRIBE, full.copies["ada"]), world.token(Scope.CONFIRM, 1),
    ]  # fmt: skip
    for bad in hostile:
        for place in ("1", "0", "open.gif"):
            answer = full.client.get(f"/c/{bad}/{place}")
            assert answer.status_code == 404, bad
            assert "location" not in answer.headers
    assert full.client.post(f"{ada.base}/1").status_code == 405
    full.record()
    assert full.figures() == ((0, 0, 0), (0, 0, 0))


def test_a_click_confirms_nothing_and_a_confirmation_follows_nothing(full: Post) -> None:
    token = full.reader("ada").base.removeprefix("/c/")
    assert full.client.get(f"/c/{token}").status_code == 404
    confirm = full.world.token(Scope.CONFIRM, full.copies["ada"])
    assert full.client.get(f"/c/{confirm}/1").status_code == 404


def test_a_campaign_that_this_database_forgot_stops_nothing(full: Post) -> None:
    ghost = Reader(full.client, click_url("", full.world.keyring, 999, 1))
    assert ghost.get(1).status_code == 404
    assert ghost.get(0).status_code == 200
    assert ghost.get("open.gif").status_code == 200
    full.reader("ada").get(1)
    full.record()
    assert full.figures() == ((0, 0, 0), (1, 1, 1))


def test_links_work_while_the_database_does_not(full: Post, services: WebServices) -> None:
    ada = full.reader("ada")
    with full.world.database.write() as session:
        session.execute(update(campaigns).values(snapshot_at=full.world.now))
    asyncio.run(full.app.state.links.read_ahead())
    there = services.database
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    object.__setattr__(services, "database", gone)
    assert ada.get(1).headers["location"] == URLS[0]
    assert ada.get("open.gif").status_code == 200
    unread = Reader(full.client, click_url("", full.world.keyring, full.campaign + 1, 1))
    assert unread.get(1).status_code == 503
    full.record()
    object.__setattr__(services, "database", there)
    gone.dispose()
    full.record()
    assert full.figures() == ((1, 1, 1), (1, 1, 1))


# --- whose looks count --------------------------------------------------------------------------


def test_raw_stands_beside_human(full: Post) -> None:
    ada, bob = full.reader("ada"), full.reader("bob", agent=GMAIL)
    ada.get("open.gif")
    ada.get(1)
    ada.get(1)
    ada.get(2)
    bob.get("open.gif")
    full.record()
    assert full.figures() == ((2, 2, 2), (3, 3, 1))
    machines = full.reader("carl")
    machines.head(1)
    machines.get(1, agent="curl/8.5.0")
    machines.get(1, agent="")
    machines.get("open.gif", agent=APPLE)
    full.pass_time(60)
    for number in (1, 2, 3):
        full.reader("dora").get(number)
    full.reader("emil").get(0)
    full.reader("emil").get(1)
    full.record()
    looks = full.looks()
    assert full.figures() == ((3, 2, 2), (11, 3, 1))
    assert looks.machines == {"burst": 3, "scanner": 2, "honeypot": 2, "head": 1, "prefetch": 1}
    top = looks.links[0]
    assert (top.number, top.url) == (1, URLS[0])
    assert (top.clicks.raw, top.clicks.human, top.clicks.people) == (7, 2, 1)
    assert [link.number for link in looks.links] == [1, 2, 3, 4]


def test_only_people_move_what_segments_ask(full: Post) -> None:
    ada, bob = full.reader("ada"), full.reader("bob", agent=APPLE)
    bob.get("open.gif")
    bob.get(1)
    at = full.world.now
    ada.get("open.gif")
    full.pass_time(5)
    ada.get(2)
    full.record()
    assert full.last_looks("ada") == (at, at + timedelta(seconds=5))
    assert full.last_looks("bob") == (None, None)
    assert full.events() == [("opened", ""), ("clicked", "2")]
    with full.world.database.read() as session:
        told = events_of(session, full.persons["ada"])
    assert told[-1].evidence == {"link": "2", "url": URLS[1]}


def test_nobody_reads_within_seconds_of_the_relays_yes(full: Post) -> None:
    ada = full.reader("ada")
    with full.world.database.write() as session:
        session.execute(update(outcomes).values(at=full.world.now - timedelta(seconds=2)))
    ada.get(1)
    full.record()
    assert full.figures() == ((0, 0, 0), (1, 0, 0))
    assert full.looks().machines == {"too-soon": 1}


def test_who_reloads_is_one_person_and_one_event_a_day(full: Post) -> None:
    ada = full.reader("ada")
    for _ in range(20):
        ada.get("open.gif")
        ada.get(3)
    full.record()
    full.pass_time(86_400)
    ada.get(3)
    full.record()
    assert full.figures() == ((20, 20, 1), (21, 21, 1))
    assert full.events() == [("opened", ""), ("clicked", "3"), ("clicked", "3")]


def test_two_web_processes_count_a_person_once(full: Post, services: WebServices) -> None:
    second = create_app(services)
    ada = full.reader("ada")
    other = Reader(Client(httpx.ASGITransport(app=second)), ada.base)
    ada.get(1)
    other.get(1)
    full.record()
    full.record(second.state.looks)
    assert full.figures() == ((0, 0, 0), (2, 2, 1))


def test_what_waits_is_recorded_when_the_process_ends(full: Post) -> None:
    async def serve() -> None:
        async with full.app.router.lifespan_context(full.app):
            transport = httpx.ASGITransport(app=full.app)
            async with httpx.AsyncClient(transport=transport, base_url="https://x") as http:
                headers = {"user-agent": FIREFOX}
                await http.get(f"{full.reader('ada').base}/1", headers=headers)

    asyncio.run(serve())
    assert full.figures() == ((0, 0, 0), (1, 1, 1))


def test_a_look_proves_that_an_unknown_copy_had_left(full: Post) -> None:
    full.reader("ada")
    person = full.world.add_person("uma@example.org")
    unknown = full.world.add_copy(full.campaign, "uma@example.org", person, state="unknown")
    base = click_url("", full.world.keyring, full.campaign, unknown)
    Reader(full.client, base).get(1, agent="curl/8.5.0")
    full.record()
    assert full.world.copy(unknown)[0] == "unknown"
    Reader(full.client, base).get(1)
    full.record()
    assert full.world.copy(unknown)[0] == "sent"


def test_a_test_copy_is_nobodys(full: Post) -> None:
    copy = full.world.add_copy(full.campaign, "me@example.org", None)
    full.pass_time(60)
    Reader(full.client, click_url("", full.world.keyring, full.campaign, copy)).get(1)
    full.record()
    assert full.figures() == ((0, 0, 0), (1, 1, 0))
    assert full.events() == []


# --- what is kept -------------------------------------------------------------------------------


def everything(database: Database) -> str:
    """All that stands in all tables, as text."""
    whole = MetaData()
    whole.reflect(database.engine)
    with database.read() as session:
        return "\n".join(
            f"{table.name}: {tuple(row)!r}"
            for table in whole.sorted_tables
            for row in session.execute(select(table))
        )


def test_anonymous_keeps_totals_and_nothing_else(anonymous: Post) -> None:
    ada = anonymous.reader("ada", agent="Canary/7.7 (X11; Linux x86_64)")
    before = everything(anonymous.world.database)
    anonymous.reader("bob")
    people_before = everything(anonymous.world.database)
    ada.get("open.gif")
    ada.get(1)
    ada.get(1, agent="curl/8.5.0")
    anonymous.reader("bob").get(1)
    anonymous.record()
    after = everything(anonymous.world.database)
    assert before != people_before
    new = [line for line in after.splitlines() if line not in people_before.splitlines()]
    campaign = anonymous.campaign
    assert sorted(new) == [
        f"looks: ({campaign}, 'clicked', 0, 'person', 2, 0)",
        f"looks: ({campaign}, 'clicked', 0, 'scanner', 1, 0)",
        f"looks: ({campaign}, 'clicked', 1, 'person', 2, 0)",
        f"looks: ({campaign}, 'clicked', 1, 'scanner', 1, 0)",
        f"looks: ({campaign}, 'opened', 0, 'person', 1, 0)",
    ]
    assert anonymous.figures() == ((1, 1, None), (3, 2, None))
    assert anonymous.events() == []


def test_anonymous_tells_a_burst_of_one_visitor_from_a_crowd(anonymous: Post) -> None:
    for number in (1, 2, 3):
        anonymous.reader("ada", agent=f"Mozilla/5.0 Firefox/{number}").get(number)
    anonymous.record()
    for number in (1, 2, 3):
        anonymous.reader("ada").get(number)
    anonymous.record()
    assert anonymous.figures() == ((0, 0, None), (6, 3, None))
    assert anonymous.looks().machines == {"burst": 3}


def test_neither_agents_nor_networks_are_kept_in_full_either(full: Post) -> None:
    full.reader("ada", agent="Canary/7.7 (X11)").get(1)
    full.record()
    assert "Canary" not in everything(full.world.database)
    assert "127.0.0.1" not in everything(full.world.database)


def test_erasing_removes_what_a_person_looked_at(full: Post) -> None:
    ada, bob = full.reader("ada"), full.reader("bob")
    ada.get(1)
    bob.get(1)
    full.record()
    assert len(full.events()) == 2
    with full.world.database.write() as session:
        gone = address.parse("ada@example.org")
        people.remove(session, gone, keyring=full.world.keyring, now=full.world.now)
    assert full.events() == [("clicked", "1")]
    assert full.last_looks("ada") == (None, None)
    assert full.last_looks("bob")[1] is not None
    # Links in mail that is out still lead on; whose they were is not noted any more.
    assert ada.get(2).headers["location"] == URLS[1]
    full.record()
    assert full.events() == [("clicked", "1")]
    assert full.figures() == ((0, 0, 0), (3, 3, 2))


@pytest.mark.parametrize("mode", [*Tracking])
def test_leaving_and_reading_in_the_browser_are_the_same(
    mode: Tracking, world: World, app: FastAPI
) -> None:
    post = Post(world, app, mode)
    post.reader("ada")
    copy = post.copies["ada"]
    page = post.client.get(f"/v/{world.token(Scope.VIEW, copy)}").text
    assert "/c/" not in page
    assert "https://b.example/" in page
    token = world.token(Scope.UNSUBSCRIBE, copy)
    assert post.client.get(f"/u/{token}").status_code == 200
    assert world.status(post.persons["ada"]) == "active"
    body = {"List-Unsubscribe": "One-Click"}
    assert post.client.post(f"/u/{token}", data=body).status_code == 200
    assert world.status(post.persons["ada"]) == "unsubscribed"
