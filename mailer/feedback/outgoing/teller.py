"""Calls endpoints with what waits for them: each in order, one at a time, several beside."""

from __future__ import annotations

import logging
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from mailer.errors import FetchRefused
from mailer.feedback.outgoing import payload, queries
from mailer.feedback.outgoing.judge import Answered, Ruling, judge
from mailer.feedback.outgoing.model import Call, CallState, Endpoint
from mailer.fetch import Fetcher, is_public
from mailer.notice.owner import alarm
from mailer.outgoing_settings import OutgoingSettings
from subscribers import queries as people
from subscribers.database import Database
from subscribers.errors import PressrunError, UsersMistake
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

#: Endpoints that are called at the same time.
AT_ONCE = 4
#: So long one endpoint is called before others get their turn, in seconds.
SLICE_SECONDS = 20.0
#: How often what is old is forgotten, in seconds.
FORGET_SECONDS = 3600.0
#: An answer is read to its end, but not one longer than this; nobody looks at it.
_MOST_BYTES = 100_000


def fetcher(settings: OutgoingSettings) -> Fetcher:
    """What calls are made with: https to the public internet, unless settings say otherwise."""
    return Fetcher(
        most_bytes=_MOST_BYTES,
        seconds=settings.timeout,
        schemes=frozenset({"http", "https"} if settings.private else {"https"}),
        allowed=(lambda _address: True) if settings.private else is_public,
    )


def ask(
    fetch: Fetcher, endpoint: Endpoint, message_id: str, content: bytes, *, keyring: Keyring
) -> Answered:
    """Make one call; whatever goes wrong is an answer too."""
    signed = payload.headers(endpoint, message_id, content, keyring=keyring, now=datetime.now(UTC))
    try:
        answer = fetch.request("POST", endpoint.url, headers=signed, body=content)
    except FetchRefused as exc:
        return Answered(status=None, words=str(exc)[:300])
    seconds = answer.headers.get("retry-after", "")
    return Answered(
        status=answer.status,
        retry_after=int(seconds) if seconds.isascii() and seconds.isdigit() else None,
        words=answer.body[:200].decode("utf-8", "replace"),
    )


class Teller:
    """Looks for endpoints with something due; several processes may have one each."""

    def __init__(self, *, database: Database, keyring: Keyring, settings: OutgoingSettings) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._fetch = fetcher(settings)
        self._lease = timedelta(seconds=settings.lease_seconds + settings.timeout)
        self._worker = uuid4().hex
        self._calling: set[Future[int]] = set()
        self._forget_at = 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Call until told to stop; trouble is logged and tried again later."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="teller") as pool:
            while not self._stopping.is_set():
                try:
                    self.tick(pool)
                except PressrunError as exc:
                    log.warning("news wait: %s", exc)
                self._stopping.wait(self._settings.poll_seconds)

    def stop(self) -> None:
        """Return from `run` once the calls under way are answered."""
        self._stopping.set()

    def tick(self, pool: ThreadPoolExecutor) -> list[Future[int]]:
        """Start calling the endpoints that have something due, as many as there is room for."""
        self._forget()
        self._look_after_calls()
        room = AT_ONCE - len(self._calling)
        if not room or not self._is_due():
            return []
        with self._database.write() as session:
            claimed = queries.claim(
                session, worker=self._worker, now=datetime.now(UTC), lease=self._lease, most=room
            )
        started = [pool.submit(self._serve, endpoint.id) for endpoint in claimed]
        self._calling.update(started)
        return started

    def _look_after_calls(self) -> None:
        for future in [future for future in self._calling if future.done()]:
            self._calling.remove(future)
            if exc := future.exception():
                # A mistake of ours; the lease keeps it from being repeated at once.
                log.error("an endpoint could not be called", exc_info=exc)

    def _is_due(self) -> bool:
        # Read first: on SQLite a write would take the file's one lock, each second for nothing.
        with self._database.read() as session:
            return queries.is_due(session, now=datetime.now(UTC))

    def _serve(self, endpoint_id: int) -> int:
        """Call one endpoint until nothing is due, it fails, or its time is over."""
        until = time.monotonic() + SLICE_SECONDS
        calls = 0
        try:
            while time.monotonic() < until and not self._stopping.is_set():
                if not self._call_next(endpoint_id):
                    break
                calls += 1
            with self._database.write() as session:
                queries.release(session, endpoint_id, worker=self._worker)
        except PressrunError as exc:
            # What was answered and not written down is told again: the receiver knows its id.
            log.warning("endpoint %s waits: %s", endpoint_id, exc)
        return calls

    def _call_next(self, endpoint_id: int) -> bool:
        """Make one call; False where there is none, or the endpoint did not take it."""
        with self._database.read() as session:
            due = queries.next_call(
                session, endpoint_id, worker=self._worker, now=datetime.now(UTC)
            )
        if due is None:
            return False
        endpoint, call = due
        content = payload.body(call)
        answered = ask(self._fetch, endpoint, call.message_id, content, keyring=self._keyring)
        now = datetime.now(UTC)
        ruling = judge(answered, call, endpoint, self._settings, now=now, jitter=random.random())
        with self._database.write() as session:
            queries.note(
                session, call, endpoint, ruling, result=str(answered), now=now, lease=self._lease
            )
            if ruling.disable:
                self._alarm(session, endpoint, ruling, now)
        self._log(endpoint, call, answered, ruling)
        return answered.is_yes

    def _alarm(self, session: Session, endpoint: Endpoint, ruling: Ruling, now: datetime) -> None:
        """Mail the owner of the oldest newsletter: an endpoint belongs to all of them."""
        oldest = min(people.newsletters(session), key=lambda one: one.id, default=None)
        if oldest is None:
            return
        try:
            alarm(
                session,
                oldest,
                what=f"Webhook endpoint {endpoint.id} is switched off",
                details=[f"{endpoint.url}: {ruling.disable}", "News are kept for it."],
                command=f"mailer webhooks out resume {endpoint.id}",
                keyring=self._keyring,
                now=now,
            )
        except UsersMistake as exc:
            log.warning("the owner of %s can't be told: %s", oldest.slug, exc)

    def _log(self, endpoint: Endpoint, call: Call, answered: Answered, ruling: Ruling) -> None:
        if answered.is_yes:
            return
        log.warning("endpoint %s did not take %s: %s", endpoint.id, call.message_id, answered)
        if ruling.state is CallState.DEAD:
            log.error("endpoint %s: %s is given up", endpoint.id, call.message_id)
        if ruling.disable:
            log.error("endpoint %s is switched off: %s", endpoint.id, ruling.disable)

    def _forget(self) -> None:
        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + FORGET_SECONDS
        before = datetime.now(UTC) - self._settings.keep
        forgotten = queries.AT_ONCE
        while forgotten == queries.AT_ONCE:
            with self._database.write() as session:
                forgotten = queries.forget(session, before=before)
