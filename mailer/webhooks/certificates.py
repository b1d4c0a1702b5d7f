"""Certificates of signers, fetched once: strangers can't make us fetch without end."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from mailer.errors import FetchRefused, WebhookRefused

#: How long a certificate is kept, and how long its URL is left alone after a failure, in seconds.
KEPT = 24 * 3600.0
RESTED = 60.0
#: URLs that are remembered, and fetches a minute, whoever asks.
MOST = 64
MOST_FETCHES = 10


class Certificates:
    """What stands behind URLs that a verifier accepts; one for a process, safe in threads."""

    def __init__(
        self, fetch: Callable[[str], bytes], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[str, tuple[float, bytes | None]] = {}
        self._fetched: list[float] = []
        self._lock = Lock()

    def __call__(self, url: str) -> bytes:
        """The bytes behind a URL; raises WebhookRefused where they can't be had just now."""
        with self._lock:
            until, content = self._known.get(url, (0.0, None))
            if self._clock() < until:
                return _or_refuse(content)
            self._spend()
            content = self._try(url)
            if len(self._known) >= MOST:
                self._known.pop(next(iter(self._known)))
            self._known[url] = (self._clock() + (KEPT if content else RESTED), content)
        return _or_refuse(content)

    def _spend(self) -> None:
        now = self._clock()
        self._fetched = [at for at in self._fetched if now - at < 60.0]
        if len(self._fetched) >= MOST_FETCHES:
            raise WebhookRefused("too many certificates were asked for; try again in a minute")
        self._fetched.append(now)

    def _try(self, url: str) -> bytes | None:
        try:
            return self._fetch(url)
        except FetchRefused:
            return None


def _or_refuse(content: bytes | None) -> bytes:
    if not content:
        raise WebhookRefused("the signer's certificate can't be had")
    return content
