"""Pages looked up on the network, through the guarded fetcher: the one place that asks for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from urllib.parse import urlsplit

from mailer.draft.facts import PageFacts, facts_of
from mailer.errors import FetchRefused
from mailer.fetch import Fetcher
from mailer.issue.urls import arxiv_id

#: What a page says of itself stands in its head: the rest is not read.
FETCHER = Fetcher(
    most_bytes=1_000_000,
    whole=False,
    seconds=10.0,
    redirects=5,
    schemes=frozenset({"https", "http"}),
)
#: So many hosts at once; each host is asked one page after the other.
_AT_ONCE = 4
_ACCEPT = {"accept": "text/html, application/xhtml+xml", "accept-language": "en, *;q=0.5"}
_PAGES = ("text/html", "application/xhtml+xml")


def look_up(url: str, fetcher: Fetcher) -> PageFacts:
    """What the page behind a URL says of itself; raises FetchRefused in words."""
    paper = arxiv_id(url)
    answer = fetcher.get(f"https://arxiv.org/abs/{paper}" if paper else url, headers=_ACCEPT)
    host = urlsplit(answer.url).hostname or ""
    if answer.status != HTTPStatus.OK:
        raise FetchRefused(f"{host} answers {answer.status}")
    kind = answer.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() not in _PAGES:
        raise FetchRefused(f"{host} answers {kind.partition(';')[0] or 'something'}, no page")
    return facts_of(answer.body, kind, answer.url)


def look_up_all(urls: Iterable[str], fetcher: Fetcher) -> Mapping[str, PageFacts | FetchRefused]:
    """What each page says of itself, or why it could not be read."""
    by_host: defaultdict[str, list[str]] = defaultdict(list)
    for url in dict.fromkeys(urls):
        by_host[urlsplit(url).netloc.lower()].append(url)

    def ask(these: list[str]) -> dict[str, PageFacts | FetchRefused]:
        return {url: _answer(url, fetcher) for url in these}

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(ask, by_host.values())
        return {url: facts for answers in found for url, facts in answers.items()}


def _answer(url: str, fetcher: Fetcher) -> PageFacts | FetchRefused:
    try:
        return look_up(url, fetcher)
    except FetchRefused as exc:
        return exc
