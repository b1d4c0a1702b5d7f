"""The one HTTP client, against a real server on loopback and names that lead astray."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from mailer.errors import FetchRefused
from mailer.fetch import Fetcher, is_public

PLAIN = frozenset({"http"})


class Handler(BaseHTTPRequestHandler):
    hosts: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.hosts.append(self.headers["host"])
        answers = {
            "/moved": (302, {"location": "/there"}, b""),
            "/inside": (302, {"location": "http://inside.example/"}, b""),
            "/round": (302, {"location": "/round"}, b""),
            "/packed": (200, {"content-encoding": "gzip"}, gzip.compress(b"0" * 10**6)),
            "/big": (200, {}, b"x" * 50_000),
        }
        status, headers, body = answers.get(self.path, (200, {}, self.path.encode()))
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.path == "/slow":
            time.sleep(1.5)
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://site.example:{made.server_port}"
    made.shutdown()
    thread.join()


def here(**changes: object) -> Fetcher:
    """A fetcher for which every name is this machine."""
    options: dict[str, object] = {
        "schemes": PLAIN,
        "resolve": lambda host, port: ["127.0.0.1"],
        "allowed": lambda address: True,
        **changes,
    }
    return Fetcher(**options)  # type: ignore[arg-type]


def test_a_page_is_fetched_from_the_address_that_was_judged(server: str) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    answer = here(resolve=resolve).get(f"{server}/page?a=b")
    assert (answer.status, answer.body) == (200, b"/page?a=b")
    assert asked == ["site.example"]
    assert Handler.hosts[-1] == server.removeprefix("http://")


def test_an_address_inside_is_refused_before_anything_is_sent(server: str) -> None:
    before = len(Handler.hosts)
    with pytest.raises(FetchRefused, match="public internet"):
        Fetcher(schemes=PLAIN, resolve=lambda host, port: ["127.0.0.1"]).get(server)
    mixed = Fetcher(schemes=PLAIN, resolve=lambda host, port: ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(FetchRefused, match="public internet"):
        mixed.get(server)
    assert len(Handler.hosts) == before


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
     "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1",
     "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1",
     "2001:0:53aa:64c:1c0:1:8000:1", "fe80::1%eth0", "2001:db8::1"],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111"])
def test_what_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://site.example/", "http://", "//site.example/", "x", "",
     "http://user:secret@site.example/", "http://site.example:99999/", "http://[::1", "http://a\nb/",
     "gopher://site.example/", "https://site.example/"],
)  # fmt: skip
def test_other_urls_are_refused_without_telling_secrets(url: str) -> None:
    with pytest.raises(FetchRefused) as caught:
        here().get(url)
    assert "secret" not in str(caught.value)


def test_redirects_are_followed_only_when_asked_and_judged_again(server: str) -> None:
    with pytest.raises(FetchRefused, match="redirects"):
        here().get(f"{server}/moved")
    assert here(redirects=2).get(f"{server}/moved").body == b"/there"
    with pytest.raises(FetchRefused, match="more than"):
        here(redirects=3).get(f"{server}/round")

    def resolve(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "inside.example" else ["127.0.0.1"]

    loopback_alone = here(redirects=2, resolve=resolve, allowed=lambda one: one.is_loopback)
    with pytest.raises(FetchRefused, match=r"inside\.example"):
        loopback_alone.get(f"{server}/inside")


def test_size_and_time_have_an_end(server: str) -> None:
    with pytest.raises(FetchRefused, match="more than"):
        here(most_bytes=49_999).get(f"{server}/big")
    assert len(here(most_bytes=50_000).get(f"{server}/big").body) == 50_000
    with pytest.raises(FetchRefused, match="compressed"):
        here().get(f"{server}/packed")
    begun = time.monotonic()
    with pytest.raises(FetchRefused):
        here(seconds=0.3).get(f"{server}/slow")
    assert time.monotonic() - begun < 1.2


def test_a_name_without_an_address_and_a_closed_port_are_told() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(FetchRefused, match=r"example: has no address: name or service not known$"):
        here(resolve=nowhere).get("http://site.example/")
    with pytest.raises(FetchRefused, match="ConnectError"):
        here().get("http://site.example:1/")
