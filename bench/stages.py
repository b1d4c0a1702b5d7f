"""Two stages alone, in this process: composing with its signature, and the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from bench import content
from bench.ground import Ground
from mailer.campaign.model import CampaignState
from mailer.delivery import gate, ledger, queries
from mailer.delivery.compose import Composer
from mailer.delivery.fuse import queries as fuse
from mailer.delivery.model import Claim, Intent, Outcome, Phase, Verdict
from mailer.delivery.retry import Decision
from mailer.delivery.send import PAGE
from mailer.settings import SendingSettings

_HOUR = timedelta(hours=1)
#: Copies that pass the gate together, as the sender does it.
BATCH = SendingSettings().max_open_intents * 3 // 4


def compose(composer: Composer, *, seconds: float) -> float:
    """Microseconds of CPU to make one message."""
    now = datetime.now(UTC)
    until = time.monotonic() + seconds
    began, made = time.process_time(), 0
    while time.monotonic() < until:
        for _ in range(BATCH):
            made += 1
            composer.compose(content.recipient(made), date=now)
    return (time.process_time() - began) / made * 1e6


def keep_books(ground: Ground, campaign: int, *, seconds: float) -> float:
    """Microseconds of CPU, client and server, that claim, page, gate and outcome cost a copy."""
    ground.set_state(campaign, CampaignState.SENDING)
    until = time.monotonic() + seconds
    began, written = time.process_time() + ground.server_cpu, 0
    while time.monotonic() < until:
        written += _chunk(ground, until)
    cost = time.process_time() + ground.server_cpu - began
    ground.set_state(campaign, CampaignState.PAUSED)
    return cost / written * 1e6


def _chunk(ground: Ground, until: float) -> int:
    """Work on one chunk as the sender does, with a relay that takes all at once."""
    with ground.database.write() as session:
        claim = gate.claim(
            session, worker="bench", now=datetime.now(UTC), lease=_HOUR, late_after=_HOUR
        )
    if claim is None:
        raise RuntimeError("the campaign is at its end: too few people for so many rounds")
    written = after = 0
    flown: Sequence[Intent] = ()
    while time.monotonic() < until:
        with ground.database.read() as session:
            page = queries.waiting(session, claim, after=after, now=datetime.now(UTC), limit=PAGE)
        if not page:
            break
        after = page[-1].recipient.delivery_id
        ids = [waiting.recipient.delivery_id for waiting in page]
        for start in range(0, len(ids), BATCH):
            flown = _batch(ground, claim, ids[start : start + BATCH], flown)
            written += len(flown)
    with ground.database.write() as session:
        _record(session, claim, flown)
    now = datetime.now(UTC)
    with ground.database.write() as session:
        gate.release(session, claim, now=now, not_before=now)
    return written


def _batch(
    ground: Ground, claim: Claim, ids: list[int], landed: Sequence[Intent]
) -> Sequence[Intent]:
    """Record what has landed and let the next fly, in one transaction."""
    with ground.database.write() as session:
        _record(session, claim, landed)
        return gate.pass_gate(
            session,
            claim,
            ids,
            worker="bench",
            relay="default",
            now=datetime.now(UTC),
            late_after=_HOUR,
        ).intents


def _record(session: Session, claim: Claim, landed: Sequence[Intent]) -> None:
    now = datetime.now(UTC)
    decisions = _sent(landed, now)
    ledger.record_outcomes(session, decisions, now=now)
    fuse.add(session, "bench", [(claim, decision.outcome) for decision in decisions])


def _sent(intents: Sequence[Intent], now: datetime) -> list[Decision]:
    return [
        Decision(
            outcome=Outcome(
                delivery_id=intent.delivery_id,
                attempt=intent.attempt,
                verdict=Verdict.SENT,
                phase=Phase.REPLY,
                at=now,
                code=250,
                provider_id="0123456789AB",
            )
        )
        for intent in intents
    ]
