"""Whether the links of an issue lead anywhere: asked over the network, politely."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

from mailer import __version__
from mailer.errors import FetchRefused, HostUnknown
from mailer.fetch import Answer, Fetcher
from mailer.issue.model import Link, ParsedIssue, Picture, Place, Problem, Text, Words
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.walk import walk
from mailer.render.links import ascii_url

#: Asked at once, each on a host of its own; and the pause between two questions to one host.
HOSTS_AT_ONCE = 4
PAUSE = 0.5
#: Says who asks and why; what robots look for in it is there.
USER_AGENT = f"Pressrun/{__version__} (link check of a newsletter; bot)"
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_PERMANENT = frozenset({HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT})


class Reach(StrEnum):
    """What became of a link."""

    #: It leads to a page.
    ALIVE = "alive"
    #: It leads to a page, but of another address now.
    MOVED = "moved"
    #: There is no such page, or no such host.
    BROKEN = "broken"
    #: Nobody can tell: it takes too long, wants a password, or lies in a private network.
    UNVERIFIED = "unverified"


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A link and what became of it; `status` and `leads_to` where a server answered."""

    url: str
    reach: Reach
    words: str
    status: int | None = None
    leads_to: str | None = None


def fetcher() -> Fetcher:
    """Reaches public addresses only, over http too, with five redirects at most."""
    return Fetcher(
        most_bytes=64 * 1024,
        whole=False,
        seconds=15.0,
        redirects=5,
        schemes=frozenset({"http", "https"}),
    )


def targets(issue: ParsedIssue) -> Mapping[str, tuple[Place, ...]]:
    """The URLs that an issue leads to and the places they stand at; none that differ per reader."""
    found: dict[str, list[Place]] = {}
    for node in walk(issue.blocks):
        if isinstance(node, Link | Picture) and (url := _fixed(node.url)):
            found.setdefault(url, []).append(node.place)
    return {url: tuple(sorted(set(places))) for url, places in found.items()}


def _fixed(url: Words) -> str | None:
    if len(url) != 1 or not isinstance(url[0], Text):
        return None
    text = url[0].text
    return ascii_url(text) if text[:4].lower() == "http" else None


def check(
    issue: ParsedIssue,
    *,
    ask: Fetcher,
    pause: float = PAUSE,
    tell: Callable[[Reached], None] = lambda _: None,
) -> tuple[Problem, ...]:
    """Ask for every link once; `tell` hears of each as it is known, in no order."""
    places = targets(issue)
    notes = Notes(path=issue.path)
    for reached in _reach_all(list(places), ask, pause):
        tell(reached)
        for place in places[reached.url]:
            _note(notes, place, reached)
    return notes.in_order


def _reach_all(urls: list[str], ask: Fetcher, pause: float) -> Iterator[Reached]:
    """Several hosts at once, each asked for one page after the other."""
    hosts: dict[str, list[str]] = {}
    for url in urls:
        hosts.setdefault(urlsplit(url).hostname or "", []).append(url)
    stop = threading.Event()
    pool = ThreadPoolExecutor(HOSTS_AT_ONCE)
    try:
        asked = [pool.submit(_reach_host, wanted, ask, pause, stop) for wanted in hosts.values()]
        for host in as_completed(asked):
            yield from host.result()
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _reach_host(
    urls: list[str], ask: Fetcher, pause: float, stop: threading.Event
) -> list[Reached]:
    done: list[Reached] = []
    for url in urls:
        if done and stop.wait(pause):
            break
        done.append(reach(url, ask))
    return done


def reach(url: str, ask: Fetcher) -> Reached:
    """Ask for one page: HEAD, and GET of servers that don't like to be asked so."""
    headers = {"user-agent": USER_AGENT, "accept": "*/*"}
    try:
        answer = _head(url, ask, headers) or ask.request("GET", url, headers=headers)
    except HostUnknown as exc:
        return Reached(url=url, reach=Reach.BROKEN, words=str(exc))
    except FetchRefused as exc:
        return Reached(url=url, reach=Reach.UNVERIFIED, words=str(exc))
    return _judge(url, answer)


def _head(url: str, ask: Fetcher, headers: Mapping[str, str]) -> Answer | None:
    """The answer to HEAD; None where the server may only not like to be asked so."""
    try:
        answer = ask.request("HEAD", url, headers=headers)
    except HostUnknown:
        raise
    except FetchRefused:
        return None
    return answer if answer.status < HTTPStatus.BAD_REQUEST else None


def _judge(url: str, answer: Answer) -> Reached:
    if answer.status in _GONE:
        reach, words = Reach.BROKEN, f"the server answers {answer.status}: there is no such page"
    elif answer.status >= HTTPStatus.BAD_REQUEST:
        reach, words = Reach.UNVERIFIED, f"the server answers {answer.status}"
    elif _PERMANENT & set(answer.hops) or _host(url) != _host(answer.url):
        reach, words = Reach.MOVED, f"leads on to {answer.url[:200]}"
    else:
        reach, words = Reach.ALIVE, f"the server answers {answer.status}"
    moved = answer.url if answer.hops else None
    return Reached(url=url, reach=reach, words=words, status=answer.status, leads_to=moved)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


#: What a problem is called and how it is mended; a link that is alive is none.
_RULES: Mapping[Reach, tuple[Rule, str]] = {
    Reach.BROKEN: (Rule.BROKEN_LINK, "write an address that is there, or remove the link"),
    Reach.MOVED: (Rule.MOVED_LINK, "write the new address"),
    Reach.UNVERIFIED: (Rule.UNVERIFIED_LINK, "open it yourself"),
}


def _note(notes: Notes, place: Place, reached: Reached) -> None:
    if reached.reach in _RULES:
        rule, remedy = _RULES[reached.reach]
        notes.add(rule, place, f"{reached.url[:120]}: {reached.words}", remedy)
