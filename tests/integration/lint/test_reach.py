"""Where links lead, asked of a real server on loopback under names of our own."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mailer.fetch import Fetcher
from mailer.issue.parse import examine
from mailer.issue.rules import Rule
from mailer.lint import reach
from mailer.lint.reach import Reach, Reached


class Site(ThreadingHTTPServer):
    """Remembers who asked for what, and how many asked one host at once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.asked: list[tuple[str, str, str]] = []
        self.agents: set[str] = set()
        self.open: Counter[str] = Counter()
        self.most = 0
        self.lock = threading.Lock()


class Page(BaseHTTPRequestHandler):
    server: Site

    def answer(self) -> None:
        host = self.headers["host"].partition(":")[0]
        with self.server.lock:
            self.server.asked.append((self.command, host, self.path))
            self.server.agents.add(self.headers["user-agent"])
            self.server.open[host] += 1
            self.server.most = max(self.server.most, self.server.open[host])
        port = self.server.server_port
        answers = {
            "/gone": (404, {}),
            "/secret": (403, {}),
            "/broken": (500, {}),
            "/moved": (301, {"location": "/page"}),
            "/once": (302, {"location": "/page"}),
            "/elsewhere": (302, {"location": f"http://other.example:{port}/page"}),
            "/inside": (302, {"location": f"http://inside.example:{port}/page"}),
            "/round": (302, {"location": "/round"}),
        }
        status, headers = answers.get(self.path, (200, {}))
        if self.path == "/no-head" and self.command == "HEAD":
            status = 405
        body = b"x" * (1_000_000 if self.path == "/huge" else 10)
        if self.path == "/huge" and self.command == "HEAD":
            status = 501
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        # Before a byte of it leaves: who has the answer may ask again at once.
        with self.server.lock:
            self.server.open[host] -= 1
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def _resolve(host: str, port: int) -> list[str]:
    if host == "offline.example":
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    if host == "nowhere.example":
        raise OSError("no such host")
    return ["127.0.0.2"] if host == "inside.example" else ["127.0.0.1"]


def _fetcher() -> Fetcher:
    """As `reach.fetcher`, for which one address of this machine is public, and one is not."""
    like = reach.fetcher()
    return Fetcher(
        most_bytes=like.most_bytes,
        whole=like.whole,
        seconds=like.seconds,
        redirects=like.redirects,
        schemes=like.schemes,
        resolve=_resolve,
        allowed=lambda address: str(address) == "127.0.0.1",
    )


@pytest.mark.parametrize(
    ("path", "became", "words"),
    [
        pytest.param("/page", Reach.ALIVE, "200", id="page"),
        pytest.param("/no-head", Reach.ALIVE, "200", id="no HEAD"),
        pytest.param("/huge", Reach.ALIVE, "200", id="more than is read"),
        pytest.param("/once", Reach.ALIVE, "200", id="led on for now"),
        pytest.param("/gone", Reach.BROKEN, "no such page", id="gone"),
        pytest.param("/secret", Reach.UNVERIFIED, "403", id="forbidden"),
        pytest.param("/broken", Reach.UNVERIFIED, "500", id="server error"),
        pytest.param("/moved", Reach.MOVED, "/page", id="moved for good"),
        pytest.param("/elsewhere", Reach.MOVED, "other.example", id="another host"),
        pytest.param("/round", Reach.UNVERIFIED, "redirects more than", id="in a circle"),
        pytest.param("/inside", Reach.UNVERIFIED, "public internet", id="led inside"),
    ],
)
def test_what_becomes_of_a_link(site: Site, path: str, became: Reach, words: str) -> None:
    reached = reach.reach(f"http://site.example:{site.server_port}{path}", _fetcher())
    assert (reached.reach, words in reached.words) == (became, True), reached
    assert "inside.example" not in {host for _, host, _ in site.asked}


def test_hosts_that_are_not_there_or_not_public(site: Site) -> None:
    port = site.server_port
    assert reach.reach(f"http://nowhere.example:{port}/", _fetcher()).reach is Reach.BROKEN
    offline = reach.reach(f"http://offline.example:{port}/", _fetcher())
    assert offline.reach is Reach.UNVERIFIED
    private = reach.reach(f"http://127.0.0.1:{port}/", reach.fetcher())
    assert private.reach is Reach.UNVERIFIED
    assert "public internet" in private.words
    assert site.asked == []


def test_an_issue_is_asked_for_once_a_link_and_one_at_a_time_a_host(site: Site) -> None:
    port = site.server_port
    hosts = [f"http://{name}.example:{port}" for name in "abc"]
    links = "\n\n".join(f"[page {n}]({host}/{n})" for host in hosts for n in range(4))
    source = (
        f"---\nsubject: x\n---\n[gone]({hosts[0]}/gone) ![it](http://d.example:{port}/i.png)\n\n"
        f"{links}\n\n[gone again]({hosts[0]}/gone#part)\n\n[gone]({hosts[0]}/gone)\n"
        f"[u]({hosts[0]}/{{{{ subscriber.id }}}}) [mail](mailto:a@b.example)\n"
    )
    issue, _ = examine("x.md", source)
    assert issue is not None
    told: list[Reached] = []
    problems = reach.check(issue, ask=_fetcher(), pause=0, tell=told.append)
    assert [(each.rule, each.line, each.column) for each in problems] == [
        (Rule.BROKEN_LINK, 4, 8),
        (Rule.BROKEN_LINK, 30, 14),
        (Rule.BROKEN_LINK, 32, 8),
    ]
    heads = [asked for asked in site.asked if asked[0] == "HEAD"]
    assert len(heads) == len(told) == 3 * 4 + 3
    assert {path for method, _, path in site.asked if method == "GET"} == {"/gone"}
    assert site.most == 1
    (agent,) = site.agents
    assert agent.startswith("Pressrun/")
    assert "bot" in agent
