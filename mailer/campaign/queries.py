"""Reads and writes of campaigns; each function is one question or one change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, Select, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mailer.campaign import lifecycle
from mailer.campaign.lifecycle import Step
from mailer.campaign.model import Campaign, CampaignKind, CampaignState, Canary, OwnerKnows
from mailer.campaign.tables import campaigns, images, links, renderings
from mailer.errors import AlreadyScheduled, CampaignRefused, CampaignUnknown
from mailer.render.images import LocalImage
from mailer.render.model import Rendering
from mailer.render.track import links_of
from subscribers.model import Tracking
from subscribers.outbox.model import News, NewsType
from subscribers.outbox.queries import tell
from subscribers.tables import newsletters

_COLUMNS = [campaigns.c[name] for name in Campaign.__dataclass_fields__]


def _campaign(row: RowMapping) -> Campaign:
    values = dict(row)
    values["kind"] = CampaignKind(values["kind"])
    values["state"] = CampaignState(values["state"])
    values["tracking"] = Tracking(values["tracking"])
    values["also"] = tuple(values["also"])
    return Campaign(**values)


def _one(session: Session, query: Select[tuple[object, ...]]) -> Campaign | None:
    row = session.execute(query).mappings().first()
    return _campaign(row) if row else None


def get(session: Session, campaign_id: int) -> Campaign:
    """The campaign of this id; raises CampaignUnknown."""
    # No database takes a number of more than 64 bits.
    possible = 0 < campaign_id < 2**63
    found = (
        _one(session, select(*_COLUMNS).where(campaigns.c.id == campaign_id)) if possible else None
    )
    if found is None:
        raise CampaignUnknown(
            f"there is no campaign {campaign_id}; `mailer campaign list` shows those there are"
        )
    return found


def newest_first(session: Session, *, limit: int = 50, tests: bool = False) -> list[Campaign]:
    """Campaigns by age, without the tests unless asked for."""
    query = select(*_COLUMNS).order_by(campaigns.c.id.desc()).limit(limit)
    if not tests:
        # A paused notice waits for a person like an issue.
        held = and_(
            campaigns.c.kind == CampaignKind.NOTICE, campaigns.c.state == CampaignState.PAUSED
        )
        query = query.where(or_(campaigns.c.kind == CampaignKind.ISSUE, held))
    return [_campaign(row) for row in session.execute(query).mappings()]


def in_states(session: Session, states: Iterable[CampaignState]) -> list[Campaign]:
    """All campaigns in one of these states, oldest due first."""
    query = (
        select(*_COLUMNS)
        .where(campaigns.c.state.in_([*states]))
        .order_by(campaigns.c.due_at, campaigns.c.id)
    )
    return [_campaign(row) for row in session.execute(query).mappings()]


def same_issue(
    session: Session, newsletter_id: int, *, issue_number: int | None, checksum: str
) -> list[Campaign]:
    """Campaigns of the same issue number or the same content, oldest first."""
    same = campaigns.c.checksum == checksum
    if issue_number is not None:
        same = or_(same, campaigns.c.issue_number == issue_number)
    query = (
        select(*_COLUMNS)
        .where(
            campaigns.c.newsletter_id == newsletter_id,
            campaigns.c.kind == CampaignKind.ISSUE,
            same,
        )
        .order_by(campaigns.c.id)
    )
    return [_campaign(row) for row in session.execute(query).mappings()]


def add(
    session: Session,
    rendering: Rendering,
    *,
    kind: CampaignKind,
    newsletter_id: int,
    also: Sequence[int] = (),
    issue_number: int | None,
    checksum: str,
    edition: int,
    due_at: datetime,
    timezone: str,
    leave_out: Sequence[int] = (),
    canary: Canary | None = None,
    corrects: int | None = None,
    segment: str | None = None,
    over_at: datetime | None = None,
    local_at: str | None = None,
    tracking: Tracking = Tracking.OFF,
    now: datetime,
) -> int:
    """Freeze a rendering into a new campaign, with its links where they are counted; gives its id.

    `over_at`: it went out then, elsewhere; nothing is to be sent or told. `local_at`: see Campaign.

    Raises AlreadyScheduled where somebody else did so a moment ago: the unique keys on
    (newsletter, number, edition) and (newsletter, checksum, edition) decide.
    """
    try:
        campaign_id: int = session.execute(
            insert(campaigns)
            .values(
                kind=kind,
                newsletter_id=newsletter_id,
                also=[*also],
                issue_number=issue_number,
                edition=edition,
                checksum=checksum,
                subject=rendering.title,
                state=CampaignState.FINISHED if over_at else CampaignState.SCHEDULED,
                due_at=due_at,
                timezone=timezone,
                created_at=now,
                alive_at=now,
                snapshot_at=over_at,
                planned_at=over_at,
                finished_at=over_at,
                leave_out=[*leave_out],
                segment=segment,
                canary_size=canary.size if canary else None,
                canary_hold=int(canary.hold.total_seconds()) if canary else None,
                corrects=corrects,
                tracking=tracking,
                local_at=local_at,
                owner_knows=_owner_knows(kind, over_at),
            )
            .returning(campaigns.c.id)
        ).scalar_one()
    except IntegrityError as exc:
        raise AlreadyScheduled from exc
    session.execute(
        insert(renderings).values(
            campaign_id=campaign_id, format=rendering.format, content=rendering.to_json()
        )
    )
    if tracking is not Tracking.OFF:
        keep_links(session, campaign_id, links_of(rendering))
    if not over_at:
        announce(session, NewsType.SCHEDULED, [campaign_id], now=now, due_at=due_at.isoformat())
    return campaign_id


def _owner_knows(kind: CampaignKind, over_at: datetime | None) -> OwnerKnows | None:
    """Owners are told of issues that go out from here."""
    return OwnerKnows.NOTHING if kind is CampaignKind.ISSUE and not over_at else None


def keep_links(session: Session, campaign_id: int, urls: Sequence[str]) -> None:
    """Number the links of a campaign whose clicks are counted."""
    rows = [
        {"campaign_id": campaign_id, "number": number, "url": url}
        for number, url in enumerate(urls, start=1)
    ]
    if rows:
        session.execute(insert(links), rows)


def links_of_campaign(session: Session, campaign_id: int) -> tuple[str, ...]:
    """The counted links of a campaign, number 1 first."""
    urls = session.scalars(
        select(links.c.url).where(links.c.campaign_id == campaign_id).order_by(links.c.number)
    )
    return tuple(urls)


def newest_tracked(session: Session, *, limit: int) -> list[int]:
    """The ids of the newest campaigns whose opens and clicks are counted, once they started."""
    newest = (
        select(campaigns.c.id)
        .where(campaigns.c.tracking != Tracking.OFF, campaigns.c.snapshot_at.is_not(None))
        .order_by(campaigns.c.id.desc())
        .limit(limit)
    )
    return [*session.scalars(newest)]


def rendering_of(session: Session, campaign_id: int) -> Rendering:
    """The frozen content of a campaign."""
    content = session.execute(
        select(renderings.c.content).where(renderings.c.campaign_id == campaign_id)
    ).scalar_one()
    return Rendering.from_json(content)


def keep_images(session: Session, found: Iterable[LocalImage], *, now: datetime) -> None:
    """Keep images to be served and embedded; what is there already holds the same."""
    by_name = {image.name: image for image in found}
    there = set(session.scalars(select(images.c.name).where(images.c.name.in_(by_name))))
    new = [
        {"name": name, "content": image.content, "created_at": now}
        for name, image in by_name.items()
        if name not in there
    ]
    if new:
        session.execute(insert(images), new)


def image(session: Session, name: str) -> bytes | None:
    """An image's bytes; None where there is none of this name."""
    return session.execute(select(images.c.content).where(images.c.name == name)).scalar()


def newsletter_slug(session: Session, campaign: Campaign) -> str:
    """The short name of the newsletter a campaign belongs to."""
    slug: str = session.execute(
        select(newsletters.c.slug).where(newsletters.c.id == campaign.newsletter_id)
    ).scalar_one()
    return slug


def move(
    session: Session,
    campaign_id: int,
    step: Step,
    *,
    to: CampaignState | None = None,
    **values: object,
) -> bool:
    """Take one step by compare-and-set; False where the campaign is in no state for it."""
    if step is Step.REOPEN:
        # A clock that finishes it in this moment must be seen, or wait for us.
        this = select(campaigns.c.id).where(campaigns.c.id == campaign_id)
        session.execute(this.with_for_update())
    states = lifecycle.before(step)
    following = to or lifecycle.TRANSITIONS[states[0], step]
    changed = session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id, campaigns.c.state.in_(states))
        .values(state=following, **values)
        .returning(campaigns.c.id)
    ).first()
    return changed is not None


def announce(
    session: Session, what: NewsType, campaign_ids: Sequence[int], *, now: datetime, **facts: object
) -> None:
    """Tell the user's own systems what became of issues; tests and notices are no news."""
    if not campaign_ids:
        return
    issues = session.execute(
        select(campaigns.c.id, campaigns.c.newsletter_id)
        .where(campaigns.c.id.in_(campaign_ids), campaigns.c.kind == CampaignKind.ISSUE)
        .order_by(campaigns.c.id)
    )
    news = [
        News(type=what, at=now, newsletter_id=row.newsletter_id, campaign_id=row.id, facts=facts)
        for row in issues
    ]
    tell(session, news, now=now)


def pause(
    session: Session, campaign_id: int, *, reason: str, now: datetime, by_hand: bool = False
) -> bool:
    """Hold a campaign; workers stop at the next gate. False where there is nothing to hold.

    Its owner is told, unless a person did it.
    """
    alarm_at = None if by_hand else now
    held = move(session, campaign_id, Step.PAUSE, pause_reason=reason, alarm_at=alarm_at)
    if held:
        announce(session, NewsType.PAUSED, [campaign_id], now=now, reason=reason)
    return held


def pause_for_relay(session: Session, campaign_id: int, *, reason: str, now: datetime) -> bool:
    """Hold what its relay refuses, until a person has mended that; gives whether it is held.

    A notice waits instead, and goes when the relay takes us again: nobody would look for it.
    """
    if get(session, campaign_id).kind is CampaignKind.NOTICE:
        return False
    return pause(session, campaign_id, reason=reason, now=now)


def resume(session: Session, campaign_id: int, *, now: datetime) -> CampaignState:
    """Let a paused campaign go on where it was; raises CampaignRefused."""
    campaign = get(session, campaign_id)
    lifecycle.after(campaign.state, Step.RESUME)
    state = lifecycle.resumed(
        started=campaign.snapshot_at is not None, planned=campaign.planned_at is not None
    )
    # A campaign resumed after its time starts now: a person has decided so.
    due_at = max(campaign.due_at, now) if state is CampaignState.SCHEDULED else campaign.due_at
    if not move(
        session,
        campaign_id,
        Step.RESUME,
        to=state,
        pause_reason=None,
        alarm_at=None,
        alive_at=now,
        due_at=due_at,
    ):
        raise CampaignRefused(f"campaign {campaign_id} changed in this moment; look again")
    announce(session, NewsType.RESUMED, [campaign_id], now=now)
    return state


def cancel(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Stop a campaign for good; raises CampaignRefused once it is over."""
    campaign = get(session, campaign_id)
    lifecycle.after(campaign.state, Step.CANCEL)
    if not move(session, campaign_id, Step.CANCEL, finished_at=now, pause_reason=None):
        raise CampaignRefused(f"campaign {campaign_id} changed in this moment; look again")
    announce(session, NewsType.CANCELLED, [campaign_id], now=now)


def start_due(session: Session, *, now: datetime, late_after: timedelta) -> list[int]:
    """Begin the snapshot of what is due and not late; gives the campaigns begun."""
    due = and_(
        campaigns.c.state == CampaignState.SCHEDULED,
        campaigns.c.due_at <= now,
        campaigns.c.due_at > now - late_after,
    )
    started = [
        *session.execute(
            update(campaigns)
            .where(due)
            .values(state=CampaignState.PLANNING, snapshot_at=now, alive_at=now)
            .returning(campaigns.c.id)
        ).scalars()
    ]
    announce(session, NewsType.STARTED, started, now=now)
    return started


def alarming(session: Session) -> list[Campaign]:
    """The issues that a rule holds and whose owners were not told, the oldest first."""
    query = (
        select(*_COLUMNS)
        .where(campaigns.c.alarm_at.is_not(None), campaigns.c.state == CampaignState.PAUSED)
        .where(campaigns.c.kind == CampaignKind.ISSUE)
        .order_by(campaigns.c.alarm_at, campaigns.c.id)
    )
    return [_campaign(row) for row in session.execute(query).mappings()]


def take_alarm(session: Session, campaign_id: int) -> bool:
    """Whether it is for the caller to tell the owner: nobody else has, and nobody resumed it."""
    taken = session.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign_id, campaigns.c.alarm_at.is_not(None))
        .values(alarm_at=None)
        .returning(campaigns.c.id)
    ).first()
    return taken is not None
