"""What happened to each copy: outcomes appended, states moved, books balanced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Dialect,
    Insert,
    bindparam,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from mailer.campaign import queries as campaigns_queries
from mailer.campaign.lifecycle import Step as CampaignStep
from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.tables import campaigns
from mailer.delivery import gate, lifecycle, orphans
from mailer.delivery.lifecycle import STEP_OF, Step
from mailer.delivery.model import DeliveryState, Verdict
from mailer.delivery.retry import Decision
from mailer.delivery.tables import chunks, deliveries, outcomes, rollups
from subscribers.database import upsert, upsert_for
from subscribers.given import among, give_rows, given_rows
from subscribers.model import UnknownPolicy
from subscribers.outbox.model import NewsType
from subscribers.prepared import Prepared
from subscribers.tables import newsletters

#: For so long after it was last driven a campaign's unknown copies are put back.
_RESEND_FOR = timedelta(hours=1)
#: A campaign of notices takes new ones for a day of UTC; a day more leaves room for any clock.
_NOTICES_FOR = timedelta(days=2)
#: Stands for no state: how many there are in all.
_AUDIENCE = "audience"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How a campaign's audience divides over the states, at this moment."""

    audience: int
    states: dict[DeliveryState, int]

    @property
    def closed(self) -> bool:
        """Whether nothing waits or flies any more."""
        open_ones = (DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING)
        return not any(self.states.get(state, 0) for state in open_ones)

    @property
    def balances(self) -> bool:
        """Whether everybody of the audience is accounted for, exactly once."""
        return self.audience == sum(self.states.values())


def record_outcomes(session: Session, decisions: Sequence[Decision], *, now: datetime) -> None:
    """Append how attempts ended and move their deliveries; saying it twice changes nothing.

    However late an outcome comes, it is kept; it moves its delivery where the table of
    `lifecycle` has such a step and no newer attempt has begun.
    """
    if not decisions:
        return
    _append(session, decisions, now=now)
    for verdict in Verdict:
        those = [d for d in decisions if d.outcome.verdict is verdict]
        if those:
            _move(session, verdict, those, now=now)
    _settle_heard_of(session, decisions, now=now)
    if any(d.due_at for d in decisions):
        _reopen(session, decisions, now=now)


def _append(session: Session, decisions: Sequence[Decision], *, now: datetime) -> None:
    """Most of a batch went the same way: what it has in common is told once."""
    alike: dict[tuple[object, ...], list[tuple[object, ...]]] = {}
    for d in decisions:
        o = d.outcome
        common = (o.attempt, o.verdict, o.phase, o.code, o.enhanced, o.reason, o.reply)
        alike.setdefault(common, []).append((o.delivery_id, o.provider_id, o.at))
    for same, rows in alike.items():
        told = {f"told_{name}": value for name, value in zip(_COMMON, same, strict=True)}
        give_rows(session, _APPEND, "told", _OWN, rows, told_recorded_at=now, **told)


_OWN = ("delivery_id", "provider_id", "at")
_COMMON = ("attempt", "verdict", "phase", "code", "enhanced", "reason", "reply")


def _appended(dialect: Dialect) -> Insert:
    """The rows of the parameter `told`, but for those that stand there already."""
    own = given_rows(dialect, "told", [outcomes.c[name] for name in _OWN])
    common = [
        bindparam(f"told_{name}", type_=outcomes.c[name].type).label(name)
        for name in (*_COMMON, "recorded_at")
    ]
    # SQLite takes an ON CONFLICT behind a SELECT without WHERE for a join's condition.
    told, names = select(*own.c, *common).where(true()), [c.name for c in (*own.c, *common)]
    return upsert_for(dialect, outcomes).from_select(names, told).on_conflict_do_nothing()


_APPEND = Prepared(_appended)


def _move(
    session: Session, verdict: Verdict, decisions: Sequence[Decision], *, now: datetime
) -> None:
    if verdict is not Verdict.SENT:
        told = [
            {
                "told_id": d.outcome.delivery_id,
                "told_attempt": d.outcome.attempt,
                "told_reason": d.outcome.reason,
                "told_due_at": d.due_at,
                "told_now": now,
            }
            for d in decisions
        ]
        session.execute(_MOVED[verdict], told)
        return
    # Nearly all are sent, at their first attempt: one statement moves them together.
    by_attempt: dict[int, list[int]] = {}
    for d in decisions:
        by_attempt.setdefault(d.outcome.attempt, []).append(d.outcome.delivery_id)
    for attempt, ids in by_attempt.items():
        _SENT.run(session, told_ids=ids, told_attempt=attempt, told_now=now)


def _after(verdict: Verdict) -> DeliveryState:
    step = STEP_OF[verdict]
    return lifecycle.TRANSITIONS[lifecycle.before(step)[0], step]


# Built once: SQLAlchemy compiles a statement that carries its rows (VALUES) anew each time, which
# takes longer than all else that is done for a batch.
_SENT = Prepared(
    lambda _: (
        update(deliveries)
        .where(
            among(deliveries.c.id, "told_ids"),
            # Heard of late: a newer try that has not begun must not leave any more.
            deliveries.c.attempt >= bindparam("told_attempt"),
            or_(
                *(deliveries.c.state == state for state in lifecycle.before(STEP_OF[Verdict.SENT]))
            ),
        )
        .values(
            state=_after(Verdict.SENT),
            reason=null(),
            due_at=null(),
            changed_at=bindparam("told_now"),
        )
    )
)
_MOVED = {
    verdict: update(deliveries)
    .where(
        deliveries.c.id == bindparam("told_id"),
        deliveries.c.attempt == bindparam("told_attempt"),
        # No IN: its parameters are put in as it runs, which executemany can't do.
        or_(*(deliveries.c.state == state for state in lifecycle.before(STEP_OF[verdict]))),
    )
    .values(
        state=orphans.unless_unknown(_after(verdict))
        if verdict is Verdict.FAILED
        else _after(verdict),
        reason=bindparam("told_reason"),
        due_at=bindparam("told_due_at") if verdict is Verdict.DEFERRED else null(),
        changed_at=bindparam("told_now"),
    )
    for verdict in Verdict
    if verdict is not Verdict.SENT
}


def _reopen(session: Session, decisions: Sequence[Decision], *, now: datetime) -> None:
    """A chunk that was done, and perhaps its campaign, has work again."""
    ids = [d.outcome.delivery_id for d in decisions if d.due_at]
    waiting = deliveries.c.id.in_(ids) & (deliveries.c.state == DeliveryState.DEFERRED)
    chunk_ids = {*session.execute(select(deliveries.c.chunk_id).where(waiting)).scalars()}
    reopened = gate.reopen(session, chunk_ids, now=now)
    for campaign_id in {*reopened}:
        campaigns_queries.move(session, campaign_id, CampaignStep.REOPEN, finished_at=None)


def settle(session: Session, delivery_id: int, *, at: datetime, evidence: str) -> bool:
    """Turn `unknown` into `sent` on evidence that the copy had left; True where it did.

    `evidence` is what was reported, in words without an address; it stands in the ledger.
    """
    row = session.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery_id,
            deliveries.c.attempt > 0,
            deliveries.c.state.in_(lifecycle.before(Step.PROVED)),
            exists().where(
                outcomes.c.delivery_id == deliveries.c.id,
                outcomes.c.verdict == Verdict.UNKNOWN,
            ),
        )
        .values(state=DeliveryState.SENT, reason=None, due_at=None, changed_at=at)
        .returning(deliveries.c.attempt)
    ).first()
    if row is None:
        return False
    session.execute(
        upsert(session, outcomes)
        .values(
            delivery_id=delivery_id,
            attempt=row.attempt,
            verdict=Verdict.SENT,
            phase="reply",
            code=0,
            reason="unknown",
            reply=f"settled by evidence: {evidence}",
            at=at,
            recorded_at=at,
        )
        .on_conflict_do_nothing()
    )
    return True


def _settle_heard_of(session: Session, decisions: Sequence[Decision], *, now: datetime) -> None:
    """What was told of copies whose reply was still waited for says that they had left."""
    # Put off or refused, too: an earlier try may be unknown, and be heard of while this one flew.
    ids = [d.outcome.delivery_id for d in decisions if d.outcome.verdict is not Verdict.SENT]
    if not ids:  # for most batches, and to put the statement together costs as much as two others
        return
    heard = select(deliveries.c.id).where(deliveries.c.id.in_(ids), orphans.heard_of())
    for delivery_id in sorted(session.execute(heard).scalars()):
        settle(session, delivery_id, at=now, evidence="it was heard of before its reply was missed")


def requeue_unknown(
    session: Session,
    campaign_id: int,
    *,
    now: datetime,
    not_before: datetime,
    tried_since: datetime,
) -> int:
    """Put the unknown copies of a campaign back (policy `resend`); gives how many.

    `not_before` is the last moment at which the copy may still have been under way: only what
    became unknown before it is put back, and nothing was heard of. Somebody may get two copies by
    this, so it is done once a copy, and only for those first tried after `tried_since`.
    """
    presumptions = (
        select(func.count())
        .where(outcomes.c.delivery_id == deliveries.c.id, outcomes.c.verdict == Verdict.UNKNOWN)
        .scalar_subquery()
    )
    moved = session.execute(
        update(deliveries)
        .where(
            deliveries.c.campaign_id == campaign_id,
            deliveries.c.state == DeliveryState.UNKNOWN,
            deliveries.c.changed_at <= not_before,
            deliveries.c.first_at > tried_since,
            presumptions <= 1,
            ~orphans.heard_of(),
        )
        .values(state=DeliveryState.QUEUED, reason=None, due_at=now, changed_at=now)
        .returning(deliveries.c.chunk_id)
    ).scalars()
    chunk_ids = [*moved]
    if chunk_ids:
        gate.reopen(session, {*chunk_ids}, now=now)
        campaigns_queries.move(session, campaign_id, CampaignStep.REOPEN, finished_at=None)
    return len(chunk_ids)


def try_soon(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Let the chunks of a campaign that waited for their relay be worked on at once.

    Copies that were put off themselves keep their own time, and so do people's own clocks.
    """
    session.execute(
        update(chunks)
        .where(chunks.c.campaign_id == campaign_id, chunks.c.due_at > now)
        .values(due_at=case((chunks.c.opens_at > now, chunks.c.opens_at), else_=now))
    )


def resend_unknown(session: Session, *, now: datetime, not_before: datetime) -> int:
    """Put unknown copies back where the newsletter's policy is `resend`; gives how many."""
    resending = session.execute(
        select(campaigns.c.id, newsletters.c.give_up_after)
        .join(newsletters, newsletters.c.id == campaigns.c.newsletter_id)
        .where(
            campaigns.c.state.in_([CampaignState.SENDING, CampaignState.FINISHED]),
            newsletters.c.unknown_policy == UnknownPolicy.RESEND,
            # What ended long ago stays as it is: the policy is for campaigns under way.
            campaigns.c.alive_at > not_before - _RESEND_FOR,
        )
    ).all()
    return sum(
        requeue_unknown(
            session,
            row.id,
            now=now,
            not_before=not_before,
            tried_since=now - timedelta(seconds=row.give_up_after),
        )
        for row in resending
    )


def cancel_waiting(session: Session, campaign_id: int, *, now: datetime, limit: int = 20) -> int:
    """Close the waiting copies of a cancelled campaign, up to `limit` chunks; gives how many
    chunks were closed: call again until it is 0."""
    let_go = (
        select(chunks.c.id)
        .join(campaigns, campaigns.c.id == chunks.c.campaign_id)
        .where(
            chunks.c.campaign_id == campaign_id,
            chunks.c.due_at.is_not(None),
            campaigns.c.state == CampaignState.CANCELLED,
            chunks.c.lease_until.is_(None) | (chunks.c.lease_until <= now),
        )
        .order_by(chunks.c.id)
        .limit(limit)
    )
    # Whoever puts a copy of one off meanwhile has done so, or waits for us (PostgreSQL).
    due = [*session.execute(let_go.with_for_update(of=chunks)).scalars()]
    if not due:
        return 0
    session.execute(
        update(deliveries)
        .where(
            deliveries.c.chunk_id.in_(due),
            deliveries.c.state.in_(lifecycle.before(Step.CANCEL)),
        )
        .values(state=orphans.unless_unknown(DeliveryState.CANCELLED), due_at=None, changed_at=now)
    )
    closed = session.execute(
        update(chunks)
        .where(chunks.c.id.in_(due))
        .values(due_at=None, token=chunks.c.token + 1)
        .returning(chunks.c.id, chunks.c.token)
    ).all()
    # What its worker left behind without an outcome may or may not have left.
    for chunk in closed:
        orphans.give_up_orphans(session, chunk.id, chunk.token, now=now)
    return len(due)


def finish_complete(session: Session, *, now: datetime) -> list[int]:
    """Close the campaigns in which no chunk has work any more; gives their ids."""
    work = exists().where(chunks.c.campaign_id == campaigns.c.id, chunks.c.due_at.is_not(None))
    # A day's notices get more all day long; one may be on its way in at this very moment.
    over = or_(campaigns.c.kind != CampaignKind.NOTICE, campaigns.c.created_at < now - _NOTICES_FOR)
    done = (campaigns.c.state == CampaignState.SENDING, ~work, over)
    # Two statements: the second sees what those wrote for whose lock the first had to wait.
    locked = select(campaigns.c.id).where(*done).order_by(campaigns.c.id).with_for_update()
    ids = [*session.execute(locked).scalars()]
    over_now = update(campaigns).where(campaigns.c.id.in_(ids), *done)
    over_now = over_now.values(state=CampaignState.FINISHED, finished_at=now)
    finished = [*session.execute(over_now.returning(campaigns.c.id)).scalars()]
    campaigns_queries.announce(session, NewsType.FINISHED, finished, now=now)
    return finished


def balance(session: Session, campaign_id: int) -> Balance:
    """How the audience of a campaign divides over the states.

    One statement: whoever plans, or rolls up, at this moment is seen everywhere or nowhere.
    """
    told = union_all(
        select(literal(_AUDIENCE).label("state"), campaigns.c.audience.label("copies")).where(
            campaigns.c.id == campaign_id
        ),
        select(deliveries.c.state, func.count())
        .where(deliveries.c.campaign_id == campaign_id)
        .group_by(deliveries.c.state),
        select(rollups.c.state, rollups.c.copies).where(rollups.c.campaign_id == campaign_id),
    )
    sums: Counter[str] = Counter()
    for state, copies in session.execute(told):
        sums[state] += copies
    audience = sums.pop(_AUDIENCE)
    return Balance(audience=audience, states={DeliveryState(s): n for s, n in sums.items()})
