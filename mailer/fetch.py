"""The only HTTP client: guarded against being turned on what only we can reach.

A host's name is resolved once, every address it has must be public, and the connection goes
to that very address. No redirects unless asked for, no proxies, caps on size and time.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import httpx

from mailer.errors import FetchRefused, HostUnknown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server answered: status, lower-case headers, body, the URL it came from.

    `hops` are the statuses of the redirects that led there.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    hops: tuple[int, ...] = ()


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, in whatever form it is written."""
    inner: Address | None = None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo or address.scope_id:
            return False
    if inner is not None and not is_public(inner):
        return False
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Fetches within limits: `most_bytes` of body, `seconds` in all, `redirects` at most.

    A longer body is refused; where `whole` is False only its beginning is taken.
    `allowed` judges each address; tests, and calls to this very machine, pass another.
    """

    most_bytes: int = 1_000_000
    whole: bool = True
    seconds: float = 10.0
    redirects: int = 0
    schemes: frozenset[str] = frozenset({"https"})
    resolve: Resolve = resolve
    allowed: Callable[[Address], bool] = is_public
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def check(self, url: str) -> None:
        """Raise FetchRefused where such a URL is never fetched, whatever its host."""
        self._parts(url)

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """GET a URL; raises FetchRefused, in words, for whatever keeps us from an answer."""
        return self.request("GET", url, headers=headers)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Ask once; redirects are followed by GET and HEAD alone."""
        deadline = time.monotonic() + self.seconds
        hops: list[int] = []
        for _ in range(self.redirects + 1):
            answer = self._once(method, url, headers or {}, body, deadline)
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not target:
                return replace(answer, hops=tuple(hops))
            hops.append(answer.status)
            if not self.redirects or method not in ("GET", "HEAD"):
                raise FetchRefused(f"{_place(url)} redirects, which is not followed")
            url = urljoin(url, target)
        raise FetchRefused(f"{_place(url)} redirects more than {self.redirects} times")

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> Answer:
        parts, port = self._parts(url)
        host = parts.hostname or ""
        pinned = parts._replace(netloc=_netloc(self._address(host, port), port))
        named = host if port == _PORTS[parts.scheme] else f"{host}:{port}"
        try:
            with (
                httpx.Client(
                    trust_env=False, timeout=_left(deadline, url), verify=self.tls or _trusted()
                ) as client,
                client.stream(
                    method,
                    urlunsplit(pinned._replace(fragment="")),
                    headers={
                        "user-agent": "Pressrun",
                        "accept-encoding": "identity",
                        **headers,
                        "host": named,
                    },
                    content=body or None,
                    extensions={"sni_hostname": host},
                ) as response,
            ):
                return Answer(
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=self._body(response, url, deadline),
                    url=url,
                )
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, ValueError) as exc:
            raise FetchRefused(f"{_place(url)}: {type(exc).__name__}: {exc}") from exc

    def _parts(self, url: str) -> tuple[SplitResult, int]:
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as exc:
            raise FetchRefused(f"not a URL: {exc}") from exc
        if parts.scheme not in self.schemes or not parts.hostname or not url.isprintable():
            wanted = " or ".join(sorted(self.schemes))
            raise FetchRefused(f"{_place(url)}: only {wanted} URLs are fetched")
        if parts.username is not None or parts.password is not None:
            raise FetchRefused(f"{_place(url)}: a URL with a password is not fetched")
        return parts, port

    def _address(self, host: str, port: int) -> str:
        """The one address that is connected to; every address of the host must be allowed."""
        try:
            found = self.resolve(host, port)
            addresses = [ipaddress.ip_address(one) for one in found]
        except (OSError, ValueError, UnicodeError) as exc:
            # A name server that can't be asked says nothing of the host.
            mute = isinstance(exc, socket.gaierror) and exc.errno == socket.EAI_AGAIN
            refused = FetchRefused if mute else HostUnknown
            raise refused(f"{host}: has no address{_because(exc)}") from exc
        if not addresses or not all(self.allowed(address) for address in addresses):
            raise FetchRefused(f"{host}: does not lead to the public internet")
        return str(addresses[0])

    def _body(self, response: httpx.Response, url: str, deadline: float) -> bytes:
        """The body as it is sent: decoded it could be any size."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FetchRefused(f"{_place(url)} answers compressed, which was not asked for")
        taken = bytearray()
        for piece in response.iter_raw():
            taken += piece
            if len(taken) > self.most_bytes and not self.whole:
                return bytes(taken[: self.most_bytes])
            if len(taken) > self.most_bytes:
                raise FetchRefused(f"{_place(url)} answers more than {self.most_bytes} bytes")
            _left(deadline, url)
        return bytes(taken)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The usual certificates, read once: that takes longer than most answers."""
    return httpx.create_ssl_context(trust_env=False)


def expect_ok(answer: Answer) -> bytes:
    """The body of a 200; raises FetchRefused for any other answer."""
    if answer.status != HTTPStatus.OK:
        raise FetchRefused(f"{_place(answer.url)} answers {answer.status}")
    return answer.body


def _left(deadline: float, url: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise FetchRefused(f"{_place(url)} takes too long")
    return left


def _netloc(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _because(exc: Exception) -> str:
    """Why a name has no address, without the number that the C library gives it."""
    words = (isinstance(exc, OSError) and exc.strerror) or str(exc)
    return f": {words[:1].lower()}{words[1:]}" if words else ""


def _place(url: str) -> str:
    """A URL without what may be secret in it."""
    try:
        parts = urlsplit(url)
        named = f"{parts.scheme}://{parts.hostname}"
    except ValueError:
        return "a URL"
    return named[:300] if named.isprintable() else "a URL"
