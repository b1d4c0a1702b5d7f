"""The public URL: whether the world reaches this installation there, and can leave by one click."""

from __future__ import annotations

import ipaddress
import json
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from mailer.campaign.schedule import is_local, is_loopback
from mailer.doctor import machine
from mailer.doctor.model import Finding, error, ok, warning
from mailer.errors import DnsBroken, DnsUnavailable, FetchRefused
from mailer.feedback.leave import PROBE, PROBED
from mailer.fetch import Answer, Fetcher, is_public, resolve
from mailer.lookup import Dns
from mailer.settings import Settings
from subscribers.token import Keyring, Scope, make

WHAT, ONE_CLICK = "public URL", "one-click unsubscribe"


def site(
    settings: Settings, keyring: Keyring | None, dns: Dns | None, tls: ssl.SSLContext | None = None
) -> Iterator[Finding]:
    """Whether the public URL leads here; `dns` None asks the system for its addresses."""
    url = settings.public_url
    sends_out = not all(is_loopback(relay.host) for relay in settings.every_relay.values())
    wrong = _wrong_url(url)
    if wrong and sends_out:
        yield error(WHAT, wrong, "set public_url to the https address of this installation")
    elif wrong:
        yield warning(WHAT, f"{wrong}; enough to try things out", "set public_url before you send")
    fetcher = Fetcher(
        seconds=10.0,
        most_bytes=100_000,
        schemes=frozenset({"https", "http"}),
        resolve=resolve if dns is None else lambda host, port: _addresses(dns, host),
        # Our own URL, from our own settings: it may well lead to this very network.
        allowed=lambda address: True,
        tls=tls,
    )
    try:
        health = fetcher.get(f"{url}/healthz")
    except FetchRefused as exc:
        yield error(
            WHAT,
            str(exc),
            "start `mailer serve`, and check the DNS, the proxy in front of it and its certificate",
        )
        return
    if not _is_ours(health):
        yield error(
            WHAT,
            f"{url}/healthz is not answered by Pressrun ({health.status})",
            "let the proxy pass every path of this host to the web process (port 8025)",
        )
        return
    if not wrong:
        yield _seen_from_outside(url, fetcher)
    yield machine.drift("clock of the public URL", _date(health))
    if keyring is not None:
        yield _one_click(url, keyring, fetcher)


def _wrong_url(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return f"{url} is not https, which one-click unsubscribe needs (RFC 8058)"
    if is_local(parts.hostname or ""):
        return f"{url} is known on this network alone: every link in mail would be dead"
    return None


def _seen_from_outside(url: str, fetcher: Fetcher) -> Finding:
    parts = urlsplit(url)
    found = [ipaddress.ip_address(a) for a in fetcher.resolve(parts.hostname or "", 443)]
    if not any(is_public(address) for address in found):
        return warning(
            WHAT,
            f"{parts.hostname} leads to {found[0]} from here, which the world can't reach",
            "see that the public DNS names a public address",
        )
    return ok(WHAT, f"{url} answers, with a certificate that holds")


def _addresses(dns: Dns, host: str) -> Sequence[str]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [host]
    try:
        return [*dns.ask(host, "A"), *dns.ask(host, "AAAA")]
    except (DnsUnavailable, DnsBroken) as exc:
        raise OSError(str(exc)) from exc


def _is_ours(health: Answer) -> bool:
    try:
        told = json.loads(health.body)
    except ValueError:
        return False
    return health.status == HTTPStatus.OK and isinstance(told, dict) and told.get("status") == "ok"


def _date(answer: Answer) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None


def _one_click(url: str, keyring: Keyring, fetcher: Fetcher) -> Finding:
    """Post as a mail program would (RFC 8058 section 3.2), with a link that is nobody's."""
    token = make(keyring, Scope.UNSUBSCRIBE, PROBE)
    try:
        answer = fetcher.request(
            "POST",
            f"{url}/u/{token}",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=b"List-Unsubscribe=One-Click",
        )
    except FetchRefused as exc:
        return error(ONE_CLICK, str(exc), "let the proxy pass POST requests as they are")
    if answer.status == HTTPStatus.OK and answer.body.decode("utf-8", "replace") == PROBED:
        return ok(ONE_CLICK, "a mail program's POST comes through")
    if answer.status == HTTPStatus.NOT_FOUND:
        return error(
            ONE_CLICK,
            "the web process does not know our links",
            "give all processes the same pressrun.keys",
        )
    return error(
        ONE_CLICK,
        f"a mail program's POST is answered {answer.status}",
        "let the proxy pass POST requests as they are: no login, no redirect, no challenge",
    )
