"""What a refusal in the dialogue with the relay means for others than its copy.

One for good that is about the address counts the same as a bounce that comes back; one that is
about ourselves holds the campaign.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.tables import campaigns
from mailer.delivery.model import Outcome, Phase, Verdict
from mailer.delivery.retry import Treatment, treatment
from mailer.delivery.tables import deliveries
from mailer.delivery.union.queries import newsletter_of
from subscribers.event import Event, EventType, Hardness
from subscribers.reason import ABOUT_ADDRESS
from subscribers.record import record_all

log = logging.getLogger(__name__)

#: Before the recipient is named, a refusal can be about nobody but us.
_ABOUT_US = frozenset({Phase.CONNECT, Phase.TLS, Phase.AUTH, Phase.MAIL})
#: Later it can be about one recipient (a relay's own list of bounced ones), but not so often.
IN_A_ROW = 3


class Suspicion:
    """Tells a relay that refuses us from one that refuses a recipient, by campaign."""

    def __init__(self) -> None:
        self._in_a_row: Counter[int] = Counter()

    def weigh(self, campaign_id: int, outcome: Outcome) -> bool:
        """Whether, after this outcome, the campaign must wait for a person."""
        if outcome.verdict is Verdict.SENT:
            del self._in_a_row[campaign_id]
        if treatment(outcome) is not Treatment.PAUSE:
            return False
        self._in_a_row[campaign_id] += IN_A_ROW if outcome.phase in _ABOUT_US else 1
        if self._in_a_row[campaign_id] < IN_A_ROW:
            return False
        # A person who resumes it has mended something: the next refusals count anew.
        del self._in_a_row[campaign_id]
        return True


def pause(session: Session, campaign_id: int, outcome: Outcome, *, now: datetime) -> None:
    """Hold a campaign that our own relay refuses, with the relay's words."""
    said = " ".join(str(part) for part in (outcome.code, outcome.enhanced, outcome.reply) if part)
    reason = (
        f"the relay refuses us: {said.rstrip('.')}; mend the login or the sender's address there,"
        f" then `mailer campaign resume {campaign_id}`"
    )
    if campaign_queries.pause_for_relay(session, campaign_id, reason=reason, now=now):
        log.error("campaign %s is paused: %s", campaign_id, reason, extra={"campaign": campaign_id})


def report(session: Session, outcomes: Sequence[Outcome], *, now: datetime) -> None:
    """Record the refusals that are about the address as bounces of its person."""
    refused = {
        outcome.delivery_id: outcome
        for outcome in outcomes
        if outcome.verdict is Verdict.FAILED and outcome.reason in ABOUT_ADDRESS
    }
    if not refused:
        return
    rows = session.execute(
        select(
            deliveries.c.id,
            deliveries.c.subscriber_id,
            deliveries.c.campaign_id,
            newsletter_of().label("newsletter_id"),
        )
        .join(campaigns, campaigns.c.id == deliveries.c.campaign_id)
        .where(deliveries.c.id.in_(refused), deliveries.c.subscriber_id.is_not(None))
    )
    events = [_bounce(refused[row.id], row) for row in rows]
    if events:
        record_all(session, events, now=now)


def _bounce(outcome: Outcome, row: Row[int, int, int, int]) -> Event:
    hard = treatment(outcome) is Treatment.SUPPRESS
    return Event(
        type=EventType.BOUNCED,
        at=outcome.at,
        source="smtp",
        source_id=f"{outcome.delivery_id}:{outcome.attempt}",
        hardness=Hardness.HARD if hard else Hardness.SOFT,
        reason=outcome.reason,
        newsletter_id=row.newsletter_id,
        subscriber_id=row.subscriber_id,
        campaign_id=row.campaign_id,
        delivery_id=outcome.delivery_id,
        evidence={"code": str(outcome.code), "reply": outcome.reply},
    )
