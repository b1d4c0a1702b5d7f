"""Who looked: requests that give themselves away, and what only shows among other looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailer.campaign.track import Track
from mailer.feedback.track import waiting as module
from mailer.feedback.track.agents import machine
from mailer.feedback.track.judge import judge
from mailer.feedback.track.model import Look, Looker
from mailer.feedback.track.waiting import Waiting

START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
COPY = Track(campaign_id=1, delivery_id=7)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
GMAIL_AHEAD = EDGE + "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
OUTLOOK = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"


@pytest.mark.parametrize(
    ("agent", "opening", "clicking"),
    [
        pytest.param(FIREFOX, None, None, id="firefox"),
        pytest.param(EDGE + "Chrome/139.0.0.0 Safari/537.36 Edg/139", None, None, id="edge"),
        pytest.param(PHONE, None, None, id="iphone"),
        pytest.param(OUTLOOK, None, None, id="outlook"),
        pytest.param("Mozilla/5.0 (Linux; Android 9; CUBOT X19)", None, None, id="a cubot"),
        pytest.param(GMAIL, None, None, id="gmail's proxy: somebody opened it"),
        pytest.param(YAHOO, None, None, id="yahoo's proxy: somebody opened it"),
        pytest.param(GMAIL_AHEAD, Looker.PREFETCH, Looker.PREFETCH, id="gmail, ahead"),
        pytest.param("Mozilla/5.0", Looker.PREFETCH, Looker.PREFETCH, id="apple's proxy"),
        pytest.param("okhttp/4.12.0", None, Looker.SCANNER, id="pictures of an app"),
        *(
            pytest.param(agent, Looker.SCANNER, Looker.SCANNER, id=agent[:30] or "no name")
            for agent in (
                "",
                " ",
                "curl/8.5.0",
                "python-requests/2.32",
                "Go-http-client/2.0",
                "Java/17.0.2",
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                "Mozilla/5.0 (compatible; bingbot/2.0)",
                "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
                "facebookexternalhit/1.1",
                "BarracudaCentral link protection",
                "Microsoft Office Existence Discovery",
                EDGE + "HeadlessChrome/126.0.0.0 Safari/537.36",
            )
        ),
    ],
)
def test_what_a_name_says(agent: str, opening: Looker | None, clicking: Looker | None) -> None:
    assert machine("GET", agent, "", opens=True) == opening
    assert machine("GET", agent, "", opens=False) == clicking


def test_head_and_prefetch_are_machines_whatever_their_name() -> None:
    assert machine("HEAD", FIREFOX, "", opens=False) is Looker.HEAD
    assert machine("GET", FIREFOX, "prefetch;prerender", opens=False) is Looker.PREFETCH
    assert machine("GET", "Mozilla/5.0" * 1_000_000, "x" * 1_000_000, opens=False) is None


def look(
    link: int | None,
    seconds: float,
    *,
    machine: Looker | None = None,
    of: Track = COPY,
    visitor: int = 0,
) -> Look:
    at = START + timedelta(seconds=seconds)
    return Look(track=of, link=link, at=at, machine=machine, visitor=visitor)


P, H, B, T = Looker.PERSON, Looker.HONEYPOT, Looker.BURST, Looker.TOO_SOON


@pytest.mark.parametrize(
    ("looks", "lookers"),
    [
        pytest.param([(None, 60)], [P], id="an open"),
        pytest.param([(None, 60), (3, 70), (3, 75), (1, 90)], [P] * 4, id="a reader"),
        pytest.param([(3, 60), (3, 60), (3, 60.2), (3, 60.3)], [P] * 4, id="one link, impatiently"),
        pytest.param([(1, 60), (2, 60.5)], [P, P], id="two links at once"),
        pytest.param([(1, 60), (2, 60.4), (3, 60.9)], [B] * 3, id="three links in a second"),
        pytest.param([(3, 60.9), (1, 60), (2, 60.4)], [B] * 3, id="whatever their order"),
        pytest.param([(1, 60), (2, 60.6), (3, 61.2), (4, 61.9)], [P] * 4, id="tabs, quickly"),
        pytest.param([(n, 60 + 2 * n) for n in range(1, 7)], [B] * 6, id="six in ten seconds"),
        pytest.param([(n, 60 + 3 * n) for n in range(1, 7)], [P] * 6, id="six in fifteen seconds"),
        pytest.param(
            [(1, 60), (2, 60), (3, 60), (None, 62), (1, 70.1)],
            [B, B, B, B, P],
            id="the picture beside a burst, and a reader later",
        ),
        pytest.param([(0, 60)], [H], id="the link nobody sees"),
        pytest.param(
            [(1, 49.9), (1, 52), (0, 60), (None, 61), (2, 70.1)], [P, H, H, H, P], id="beside it"
        ),
        pytest.param([(1, 4.9), (1, 5)], [T, P], id="sooner than one reads"),
        pytest.param([(None, -2)], [T], id="before the relay has answered"),
    ],
)
def test_who_looked(looks: list[tuple[int | None, float]], lookers: list[Looker]) -> None:
    judged = judge([look(link, seconds) for link, seconds in looks], accepted_at=START)
    assert judged == lookers


def test_what_a_request_admits_comes_first_and_still_counts_as_evidence() -> None:
    looks = [look(n, 60, machine=Looker.SCANNER) for n in (1, 2, 3)] + [look(1, 61)]
    assert judge(looks) == [Looker.SCANNER] * 3 + [Looker.BURST]


def test_without_a_time_of_acceptance_nothing_is_too_soon() -> None:
    assert judge([look(1, -100)]) == [P]


def test_a_flood_is_judged_in_a_moment() -> None:
    """Linear but for sorting: this would not end if each look were held against each."""
    looks = [look(n % 50, n / 1000) for n in range(20_000)]
    assert set(judge(looks)) == {H}


# --- waiting ------------------------------------------------------------------------------------


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_look_waits_until_those_near_it_have_come() -> None:
    waiting = Waiting()
    waiting.add(look(1, 0))
    waiting.add(look(0, 8))
    assert waiting.ripe(at(10), most=9) == []
    (first,) = waiting.ripe(at(10.1), most=9)
    assert (len(first.looks), first.first, first.last) == (2, 0, 1)
    assert judge(first.looks)[first.first : first.last] == [H]
    # What could not be recorded is ripe again.
    assert waiting.ripe(at(10.1), most=9) == [first]
    waiting.settle([first])
    waiting.forget(at(10.1))
    (second,) = waiting.ripe(at(18.1), most=9)
    assert (len(second.looks), second.first, second.last) == (2, 1, 2)
    waiting.settle([second])
    waiting.forget(at(60))
    waiting.add(look(1, 60))
    (third,) = waiting.ripe(at(60), most=9, at_once=True)
    assert (len(third.looks), third.first, third.last) == (1, 0, 1)


def test_copies_wait_apart_and_so_do_visitors_where_no_copy_is_named() -> None:
    waiting = Waiting()
    nobody = Track(campaign_id=1, delivery_id=None)
    for visitor in (1, 2):
        waiting.add(look(1, 0, visitor=visitor))
        waiting.add(look(1, 0, of=Track(campaign_id=1, delivery_id=8), visitor=visitor))
        waiting.add(look(1, 0, of=nobody, visitor=visitor))
    ripe = waiting.ripe(at(60), most=9)
    assert sorted(len(one.looks) for one in ripe) == [1, 1, 2, 2]
    assert len(waiting.ripe(at(60), most=3)) == 3


def test_nobody_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    monkeypatch.setattr(module, "MOST_OF_ONE", 3)
    waiting = Waiting()
    other = Track(campaign_id=1, delivery_id=8)
    assert [waiting.add(look(1, 0)) for _ in range(4)] == [True, True, True, False]
    assert [waiting.add(look(1, 0, of=other)) for _ in range(3)] == [True, True, False]
    waiting.settle(waiting.ripe(at(60), most=9))
    waiting.forget(at(60))
    assert waiting.add(look(1, 60, of=other))
