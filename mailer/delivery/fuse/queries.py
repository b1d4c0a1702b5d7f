"""What the fuse counts, and what it keeps; sums of few rows, however big the campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Dialect, Insert, case, exists, func, select, update
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery.fuse.judge import Shares, Tally
from mailer.delivery.model import Claim, DeliveryState, Outcome, Verdict
from mailer.delivery.retry import Treatment, treatment
from mailer.delivery.tables import chunks, deliveries, tallies
from subscribers.database import upsert_for
from subscribers.event import EventType, Hardness
from subscribers.outbox.model import NewsType
from subscribers.prepared import Prepared
from subscribers.reason import ABOUT_ADDRESS
from subscribers.tables import events

_COUNTED = ("tried", "hard", "refused")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A campaign that is sending, as the fuse needs it; `hold` is in seconds."""

    id: int
    blown: Shares | None
    wave: int
    canary_size: int | None
    canary_hold: int
    canary_at: datetime | None


def add(session: Session, worker: str, told: Iterable[tuple[Claim, Outcome]]) -> None:
    """Add how copies fared to this worker's own rows.

    An outcome that is recorded a second time counts twice: figures, not books.
    """
    sums: Counter[tuple[int, str, str]] = Counter()
    for claim, outcome in told:
        if outcome.verdict not in (Verdict.SENT, Verdict.FAILED):
            continue
        place = (claim.campaign_id, claim.lane)
        sums[*place, "tried"] += 1
        if treatment(outcome) is Treatment.SUPPRESS:
            sums[*place, "hard"] += 1
        elif outcome.code >= 500 and outcome.reason not in ABOUT_ADDRESS:
            sums[*place, "refused"] += 1
    places = sorted({(campaign_id, lane) for campaign_id, lane, _ in sums})
    if not places:
        return
    rows = [(*place, *(sums[*place, name] for name in _COUNTED)) for place in places]
    _ADD.run_each(session, ("campaign_id", "lane", *_COUNTED), rows, worker=worker)


def _added(dialect: Dialect) -> Insert:
    statement = upsert_for(dialect, tallies)
    return statement.on_conflict_do_update(
        index_elements=[tallies.c.campaign_id, tallies.c.lane, tallies.c.worker],
        set_={name: tallies.c[name] + statement.excluded[name] for name in _COUNTED},
    )


_ADD = Prepared(_added)


def watched(session: Session) -> list[Watched]:
    """The issues that are being sent."""
    rows = session.execute(
        select(campaigns).where(
            campaigns.c.state == CampaignState.SENDING, campaigns.c.kind == CampaignKind.ISSUE
        )
    )
    return [
        Watched(
            id=row.id,
            blown=row.fuse_blown,
            wave=row.wave,
            canary_size=row.canary_size,
            canary_hold=row.canary_hold or 0,
            canary_at=row.canary_at,
        )
        for row in rows
    ]


def tallied(session: Session, campaign_id: int) -> list[Tally]:
    """How the copies of a campaign fared, by lane: in the dialogue, and by what came back."""
    rows = session.execute(
        select(
            tallies.c.lane,
            func.sum(tallies.c.tried).label("tried"),
            func.sum(tallies.c.hard).label("hard"),
            func.sum(tallies.c.refused).label("refused"),
        )
        .where(tallies.c.campaign_id == campaign_id)
        .group_by(tallies.c.lane)
        .order_by(tallies.c.lane)
    )
    back = _came_back(session, campaign_id)
    return [
        Tally(
            lane=row.lane,
            tried=row.tried,
            hard=row.hard + back.get(row.lane, (0, 0))[0],
            refused=row.refused,
            complained=back.get(row.lane, (0, 0))[1],
        )
        for row in rows
    ]


def _came_back(session: Session, campaign_id: int) -> dict[str, tuple[int, int]]:
    """How many copies that were taken bounced hard later, and were complained of, by lane."""
    hard = exists().where(
        events.c.delivery_id == deliveries.c.id,
        events.c.type == EventType.BOUNCED,
        events.c.hardness == Hardness.HARD,
    )
    rows = session.execute(
        select(
            deliveries.c.lane,
            func.sum(case(((deliveries.c.later == "bounced") & hard, 1), else_=0)).label("hard"),
            func.sum(case((deliveries.c.later == "complained", 1), else_=0)).label("complained"),
        )
        # In these very words: the index holds no other rows.
        .where(
            deliveries.c.campaign_id == campaign_id,
            deliveries.c.later.in_(["bounced", "complained"]),
            deliveries.c.state == DeliveryState.SENT,
        )
        .group_by(deliveries.c.lane)
    )
    return {row.lane: (row.hard, row.complained) for row in rows}


def canary_is_out(session: Session, campaign_id: int) -> bool:
    """Whether each copy of the canary was tried at least once."""
    untried = exists().where(
        chunks.c.campaign_id == campaign_id,
        chunks.c.wave == 0,
        deliveries.c.chunk_id == chunks.c.id,
        deliveries.c.state.in_([DeliveryState.QUEUED, DeliveryState.SENDING]),
    )
    return not session.execute(select(untried)).scalar_one()


def note_canary(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Write down since when the canary is out."""
    noted = session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id, campaigns.c.canary_at.is_(None))
        .values(canary_at=now)
        .returning(campaigns.c.id)
    ).scalars()
    campaign_queries.announce(session, NewsType.CANARY_HELD, [*noted], now=now)


def release(session: Session, campaign_id: int, *, now: datetime) -> bool:
    """Let the rest of a campaign go after its canary; False where somebody else did."""
    done = session.execute(
        update(campaigns)
        .where(
            campaigns.c.id == campaign_id,
            campaigns.c.wave == 0,
            campaigns.c.state == CampaignState.SENDING,
        )
        .values(wave=1)
        .returning(campaigns.c.id)
    ).scalars()
    released = [*done]
    campaign_queries.announce(session, NewsType.CANARY_RELEASED, released, now=now)
    return bool(released)


def blow(session: Session, campaign_id: int, *, reason: str, shares: Shares, now: datetime) -> bool:
    """Hold a campaign that is sending, and keep the shares that it blew at."""
    held = session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id, campaigns.c.state == CampaignState.SENDING)
        .values(state=CampaignState.PAUSED, pause_reason=reason, fuse_blown=shares, alarm_at=now)
        .returning(campaigns.c.id)
    ).scalars()
    blown = [*held]
    campaign_queries.announce(session, NewsType.PAUSED, blown, now=now, reason=reason)
    return bool(blown)
