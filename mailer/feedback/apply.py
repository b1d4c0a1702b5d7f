"""Requests that wait become events: many in one transaction, whoever else is at it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.delivery import grants, ledger
from mailer.delivery.model import DeliveryState
from mailer.delivery.retry import slows_lane
from mailer.diagnosis import redact
from mailer.errors import FetchRefused, WebhookRefused
from mailer.feedback import queries
from mailer.feedback.mail_report import MAIL, read_mail
from mailer.feedback.model import Applied, Copy, Later, Request
from mailer.feedback.resolve import Ignored, resolve_all
from mailer.webhooks import providers
from mailer.webhooks.model import Received, Report, ReportedEvent
from subscribers.database import Database
from subscribers.errors import DatabaseBusy, DatabaseFull, DatabaseUnavailable
from subscribers.event import Event, EventType
from subscribers.record import record_all
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

#: Fetches a URL that a provider wants to see fetched; raises FetchRefused.
Confirm = Callable[[str], object]

_LATER: Mapping[EventType, Later] = {
    EventType.DELIVERED: Later.DELIVERED,
    EventType.BOUNCED: Later.BOUNCED,
    EventType.COMPLAINED: Later.COMPLAINED,
}
#: How what is kept is read, by where it came in.
READERS = {**providers.READERS, MAIL: read_mail}
#: What people do with a message is nobody's business until a newsletter asks for it.
_UNTRACKED = frozenset({EventType.OPENED, EventType.CLICKED})
_MOST_WORDS = 1_000
#: So many requests, and bytes of them, are applied in one transaction: a matter of 0.2 s.
AT_ONCE = 500
_MOST_BYTES = 250_000


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A request as it was read; `failure` says why it could not be."""

    request: Request
    report: Report = field(default_factory=Report)
    failure: str = ""

    @property
    def tracked(self) -> list[ReportedEvent]:
        return [event for event in self.report.events if event.type not in _UNTRACKED]


def _nobody_confirms(url: str) -> object:
    raise FetchRefused("nothing is fetched here")


def apply_waiting(
    database: Database,
    keyring: Keyring,
    *,
    now: datetime,
    limit: int = AT_ONCE,
    confirm: Confirm = _nobody_confirms,
) -> int:
    """Apply up to `limit` waiting requests, oldest first; gives how many were applied.

    Several may do so at once. `confirm` fetches what a provider asks to see fetched. A
    request that can't be understood is marked with the words why and holds up nobody. Raises
    DatabaseUnavailable, DatabaseBusy or DatabaseFull, with everything before that applied and
    the rest still waiting.
    """
    applied, last, alone = 0, 0, 0
    while applied < limit:
        most = 1 if alone else min(AT_ONCE, limit - applied)
        try:
            read = _apply_some(database, keyring, after=last, most=most, now=now)
        except (DatabaseFull, DatabaseUnavailable):
            raise
        except Exception as exc:
            if most == 1:
                raise
            # One of them is at fault, or two of us met: each by itself shows which.
            log.warning("webhook requests are applied one by one: %s", type(exc).__name__)
            alone = most
            continue
        if not read:
            break
        _confirm_all(database, read, confirm=confirm, now=now)
        last = read[-1].request.id
        applied += len(read)
        alone = max(0, alone - 1)
    return applied


def _apply_some(
    database: Database, keyring: Keyring, *, after: int, most: int, now: datetime
) -> list[_Read]:
    """Apply the next requests in one transaction; all of them, or none and an exception."""
    taken: list[Request] = []
    try:
        with database.write() as session:
            taken = queries.next_requests(session, after=after, most=most, most_bytes=_MOST_BYTES)
            read = [_read(request) for request in taken]
            applied = _apply(session, read, keyring=keyring, now=now)
            queries.mark_applied(session, applied, now=now)
            return read
    except (DatabaseBusy, DatabaseFull, DatabaseUnavailable):
        raise
    except Exception as exc:
        if most > 1 or not taken:
            raise
        return _set_aside(database, taken, exc, now=now)


def _set_aside(
    database: Database, taken: Sequence[Request], exc: Exception, *, now: datetime
) -> list[_Read]:
    """A mistake of ours in one request must not hold up the others; its body is kept."""
    words = f"failed: {type(exc).__name__}; the request is kept, see the log"
    with database.write() as session:
        failed = [Applied(request_id=request.id, result=words) for request in taken]
        queries.mark_applied(session, failed, now=now)
    for request in taken:
        log.error("webhook request %s could not be applied", request.id, exc_info=exc)
    return [_Read(request=request, failure=words) for request in taken]


def _confirm_all(
    database: Database, read: Sequence[_Read], *, confirm: Confirm, now: datetime
) -> None:
    """Fetch what providers want to see fetched, which no transaction may wait for.

    It may happen twice, which does no harm.
    """
    wanted = [one for one in read if one.report.confirm]
    for one in wanted:
        words = _confirm(one.report.confirm, confirm)
        with database.write() as session:
            applied = Applied(request_id=one.request.id, result=words)
            queries.mark_applied(session, [applied], now=now)


def _confirm(url: str, confirm: Confirm) -> str:
    try:
        confirm(url)
    except FetchRefused as exc:
        log.warning("a subscription to webhooks could not be confirmed: %s", exc)
        return f"not confirmed: {exc}; ask the provider to send the confirmation again"
    return "the subscription is confirmed"


def _read(request: Request) -> _Read:
    reader = READERS.get(request.provider)
    if reader is None:
        words = f"not understood: no provider is called {request.provider}"
        return _Read(request=request, failure=words)
    received = Received(id=request.request_id, at=request.received_at, body=request.body)
    try:
        return _Read(request=request, report=reader(received))
    except WebhookRefused as exc:
        return _Read(request=request, failure=f"not understood: {exc}")


def _apply(
    session: Session, read: Sequence[_Read], *, keyring: Keyring, now: datetime
) -> list[Applied]:
    """Apply what was read; those that wait for a confirmation are not among the answers."""
    told = [(event, one.request.provider) for one in read for event in one.tracked]
    effects = iter(apply_events(session, told, keyring=keyring, now=now))
    return [
        _applied(one, [next(effects) for _ in one.tracked])
        for one in read
        if not one.report.confirm
    ]


def _applied(read: _Read, effects: Sequence[str]) -> Applied:
    """What came of a request, in words."""
    if read.failure:
        return Applied(request_id=read.request.id, result=read.failure)
    counts = Counter(effects)
    counts.update(
        f"not tracked: {one.type}" for one in read.report.events if one.type in _UNTRACKED
    )
    counts.update(f"passed over: {name}" for name in read.report.passed)
    words = [f"{count} {effect}" for effect, count in sorted(counts.items())]
    result = "; ".join([*words, *read.report.mistakes])[:_MOST_WORDS]
    return Applied(
        request_id=read.request.id,
        result=result or "nothing in it",
        is_done=not read.report.mistakes,
    )


def apply_events(
    session: Session,
    reported: Sequence[tuple[ReportedEvent, str]],
    *,
    keyring: Keyring,
    now: datetime,
) -> list[str]:
    """Record events, each with its source, and what follows; gives their effects in words."""
    if not reported:
        return []
    found = resolve_all(session, [one for one, _ in reported], keyring=keyring, now=now)
    told = [
        _event(one, copy, source=source, now=now)
        for (one, source), copy in zip(reported, found, strict=True)
    ]
    recorded = record_all(session, told, now=now)
    effects: list[str] = []
    news: list[tuple[Event, Copy]] = []
    for event, copy, done in zip(told, found, recorded, strict=True):
        effects.append(done.effect)
        if done.applied and isinstance(copy, Ignored):
            effects[-1] = f"ignored: {copy.why}"
        elif done.applied and isinstance(copy, Copy):
            news.append((event, copy))
    _note(session, news, now=now)
    return effects


def _note(session: Session, news: Sequence[tuple[Event, Copy]], *, now: datetime) -> None:
    """Tell the ledger: whatever is heard of a copy proves that it had left."""
    unproved = {
        copy.delivery_id: event for event, copy in news if copy.state is not DeliveryState.SENT
    }
    if unproved:
        # One whose worker is missed, or misses its reply, in this moment becomes unknown first,
        # or waits for us and then sees what was heard of it.
        queries.hold_copies(session, unproved)
    for delivery_id, event in sorted(unproved.items()):
        evidence = f"{event.type} reported by {event.source}"
        ledger.settle(session, delivery_id, at=now, evidence=evidence)
    enough = [copy.delivery_id for event, copy in news if _has_enough(event)]
    if enough:
        grants.report(session, enough, now=now)
    for kind, later in _LATER.items():
        heard = {copy.delivery_id: event.at for event, copy in news if event.type is kind}
        if heard:
            queries.note_later(session, later, heard)


def _has_enough(event: Event) -> bool:
    """Whether a provider behind the relay told us to go slower."""
    if event.type is EventType.DEFERRED:
        return slows_lane(event.reason, for_good=False)
    return event.type is EventType.BOUNCED and slows_lane(event.reason, for_good=True)


def _event(reported: ReportedEvent, found: Copy | Ignored, *, source: str, now: datetime) -> Event:
    copy = found if isinstance(found, Copy) else None
    known = [one for one in (reported.recipient, copy.address if copy else None) if one]
    evidence = {"text": redact(reported.text, *known)} if reported.text else {}
    if isinstance(found, Ignored):
        evidence["ignored"] = found.why
    return Event(
        type=reported.type,
        # A reporter's clock may run ahead; what was reported has happened.
        at=min(reported.at, now),
        source=source,
        source_id=reported.id,
        hardness=reported.hardness,
        reason=reported.reason,
        newsletter_id=copy.newsletter_id if copy else None,
        subscriber_id=copy.subscriber_id if copy else None,
        campaign_id=copy.campaign_id if copy else None,
        delivery_id=copy.delivery_id if copy else None,
        evidence=evidence,
    )
