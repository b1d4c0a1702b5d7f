"""Scheduling: a rendering is frozen into a campaign, once per issue and newsletter."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from mailer.campaign import local, queries, union
from mailer.campaign.model import Campaign, CampaignKind, CampaignState, Canary
from mailer.errors import AlreadyScheduled, CampaignRefused, UrlUnsafe
from mailer.render.model import Rendering
from mailer.settings import Settings
from subscribers.model import Newsletter


@dataclass(frozen=True, kw_only=True)
class Edition:
    """Which time this issue goes out, and whose earlier copies count."""

    number: int
    leave_out: tuple[int, ...]


def edition_of(earlier: list[Campaign], *, again: bool) -> Edition:
    """The first edition, or the next one; raises AlreadyScheduled without `again`.

    A campaign cancelled before its snapshot reached nobody and stands in nobody's way.
    """
    reached = [c for c in earlier if c.state is not CampaignState.CANCELLED or c.snapshot_at]
    if reached and not again:
        newest = reached[-1]
        raise AlreadyScheduled(
            f"this issue is campaign {newest.id} already ({newest.state}, {newest.subject!r});"
            " add --again to send it to those who have no copy of it"
        )
    alive = [c for c in reached if c.state is not CampaignState.CANCELLED]
    unfixed = [c for c in alive if c.planned_at is None]
    if unfixed:
        # Whom it will reach is not known yet: they would get this one and that one.
        raise AlreadyScheduled(
            f"campaign {unfixed[-1].id} of this issue has not fixed its audience yet"
            f" ({unfixed[-1].state}); cancel it, or wait until it sends"
        )
    if any(c.archived_at for c in reached):
        raise AlreadyScheduled(
            f"this issue is campaign {reached[-1].id} already, and the ledger of an earlier one is"
            " rolled up: nobody can tell who has a copy; give it another number"
        )
    number = max((c.edition for c in earlier), default=-1) + 1
    return Edition(number=number, leave_out=tuple(c.id for c in reached))


def schedule(
    session: Session,
    rendering: Rendering,
    *,
    newsletter: Newsletter,
    also: Sequence[Newsletter] = (),
    issue_number: int | None,
    due_at: datetime,
    timezone: str,
    again: bool = False,
    canary: Canary | None = None,
    segment: str | None = None,
    local_at: datetime | None = None,
    now: datetime,
) -> int:
    """Freeze a rendering into a campaign that starts at `due_at`; gives the campaign's id.

    `also`: further newsletters whose readers get it, each person once. `segment`: a condition on
    the people, in words that stand by themselves; None: everybody. `local_at`: what each person's
    own clock is to show, from `due_at` on; then `timezone` is for those whose own is not known.
    Raises AlreadyScheduled where this newsletter's issue of the same number or content is one,
    CampaignRefused for a canary by local time and for a newsletter named twice.
    """
    if canary is not None and local_at is not None:
        raise CampaignRefused(
            "a canary waits until all of its copies are out, and by local time that takes a day:"
            " leave out --canary or --local"
        )
    others = union.further(newsletter, also)
    earlier = queries.same_issue(
        session, newsletter.id, issue_number=issue_number, checksum=rendering.checksum
    )
    edition = edition_of(earlier, again=again)
    return queries.add(
        session,
        rendering,
        kind=CampaignKind.ISSUE,
        newsletter_id=newsletter.id,
        also=others,
        issue_number=issue_number,
        checksum=rendering.checksum,
        edition=edition.number,
        due_at=due_at,
        timezone=timezone,
        leave_out=edition.leave_out,
        segment=segment,
        canary=canary,
        tracking=union.tracking(session, newsletter, others),
        local_at=local.written(local_at) if local_at else None,
        now=now,
    )


def correct(
    session: Session,
    rendering: Rendering,
    *,
    original: Campaign,
    newsletter: Newsletter,
    now: datetime,
) -> int:
    """Freeze a correction, for exactly those who have the original; gives the campaign's id.

    Raises CampaignRefused where the original may still reach somebody, is no issue, has the
    same content, or is so old that nobody can tell who has it; AlreadyScheduled where this
    content corrects it already.
    """
    why = _uncorrectable(original, rendering)
    if why:
        raise CampaignRefused(f"campaign {original.id} {why}")
    earlier = queries.same_issue(
        session,
        original.newsletter_id,
        issue_number=original.issue_number,
        checksum=rendering.checksum,
    )
    begun = begun_corrections(original.id, earlier, checksum=rendering.checksum)
    return queries.add(
        session,
        rendering,
        kind=CampaignKind.ISSUE,
        newsletter_id=original.newsletter_id,
        also=original.also,
        issue_number=original.issue_number,
        checksum=rendering.checksum,
        edition=max((c.edition for c in earlier), default=-1) + 1,
        due_at=now,
        timezone=newsletter.timezone,
        corrects=original.id,
        leave_out=begun,
        tracking=union.tracking(session, newsletter, original.also),
        now=now,
    )


def begun_corrections(
    original_id: int, earlier: list[Campaign], *, checksum: str
) -> tuple[int, ...]:
    """The cancelled corrections of a campaign with this content, whose readers have it already.

    Raises AlreadyScheduled where one is not cancelled: everybody would get it twice.
    """
    same = [one for one in earlier if one.corrects == original_id and one.checksum == checksum]
    for one in same:
        if one.state is not CampaignState.CANCELLED:
            raise AlreadyScheduled(
                f"campaign {one.id} ({one.state}) corrects campaign {original_id} with this very"
                " content already: everybody would get it twice"
            )
    return tuple(one.id for one in same if one.snapshot_at)


def _uncorrectable(original: Campaign, rendering: Rendering) -> str | None:
    if original.kind is not CampaignKind.ISSUE:
        return f"is a {original.kind}, not an issue"
    if original.state not in (CampaignState.FINISHED, CampaignState.CANCELLED):
        return (
            f"is {original.state} and may still send the old version;"
            f" `mailer campaign cancel {original.id}` first"
        )
    if original.archived_at is not None:
        return "is rolled up: nobody can tell who has it"
    if original.checksum == rendering.checksum:
        return "has this very content: nothing is corrected"
    return None


def add_test(
    session: Session, rendering: Rendering, *, newsletter: Newsletter, now: datetime
) -> int:
    """Freeze a rendering for a look at it; as often as one likes. Gives the campaign's id."""
    return queries.add(
        session,
        rendering,
        kind=CampaignKind.TEST,
        newsletter_id=newsletter.id,
        issue_number=None,
        checksum=f"test-{secrets.token_hex(16)}",
        edition=0,
        due_at=now,
        timezone=newsletter.timezone,
        tracking=newsletter.tracking,
        now=now,
    )


def check_public_url(settings: Settings) -> None:
    """Refuse to send the world links that nobody out there can follow; raises UrlUnsafe.

    With a relay on this machine anything goes: that is how one tries things out.
    """
    if all(is_loopback(relay.host) for relay in settings.every_relay.values()):
        return
    url = urlsplit(settings.public_url)
    host = url.hostname or ""
    if url.scheme != "https":
        raise UrlUnsafe(
            f"public_url is {settings.public_url}: one-click unsubscribe needs https (RFC 8058);"
            " set public_url in pressrun.toml to the https address of this installation"
        )
    if is_local(host):
        raise UrlUnsafe(
            f"public_url is {settings.public_url}: nobody outside can reach {host}, so every"
            " unsubscribe link would be dead; set public_url in pressrun.toml"
        )


def is_loopback(host: str) -> bool:
    """Whether this host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(host: str) -> bool:
    """Whether this host is known only on this machine or network."""
    if "." not in host or host.endswith((".local", ".localhost", ".internal", ".test", ".lan")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
