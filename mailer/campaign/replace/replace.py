"""Other content for a campaign that has not started; the same issue, time and audience."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.campaign import queries, union
from mailer.campaign.model import Campaign, CampaignKind, CampaignState
from mailer.campaign.replace.queries import swap
from mailer.campaign.schedule import Edition, begun_corrections, edition_of
from mailer.errors import CampaignRefused
from mailer.render.model import Rendering
from subscribers.model import Newsletter


def check(campaign: Campaign, *, issue_number: int | None) -> None:
    """See that a campaign's content may be another yet; raises CampaignRefused."""
    why = _irreplaceable(campaign)
    if why is None and campaign.corrects is None and campaign.issue_number != issue_number:
        why = (
            f"is {_issue(campaign.issue_number)}, and the file is {_issue(issue_number)};"
            f" `mailer campaign cancel {campaign.id}` and schedule the file instead"
        )
    if why:
        raise CampaignRefused(f"campaign {campaign.id} {why}")


def replace(
    session: Session, seen: Campaign, rendering: Rendering, *, newsletter: Newsletter
) -> None:
    """Freeze a rendering in place of a campaign's own, as the campaign was when it was looked at.

    Raises CampaignRefused where it has started or changed since, AlreadyScheduled where another
    campaign has this content.
    """
    others = [
        one
        for one in queries.same_issue(
            session,
            seen.newsletter_id,
            issue_number=seen.issue_number,
            checksum=rendering.checksum,
        )
        if one.id != seen.id
    ]
    if seen.corrects is not None:
        # It goes to those who have the original, whatever else they have but for itself.
        begun = begun_corrections(seen.corrects, others, checksum=rendering.checksum)
        following = max((one.edition for one in others), default=-1) + 1
        edition = Edition(number=following, leave_out=begun)
    else:
        edition = edition_of(others, again=seen.edition > 0)
    if not swap(
        session,
        seen,
        rendering,
        edition=edition.number,
        leave_out=edition.leave_out,
        tracking=union.tracking(session, newsletter, seen.also),
    ):
        check(queries.get(session, seen.id), issue_number=seen.issue_number)
        raise CampaignRefused(f"campaign {seen.id} changed in this moment; look again")


def _irreplaceable(campaign: Campaign) -> str | None:
    if campaign.kind is not CampaignKind.ISSUE:
        return f"is a {campaign.kind}, not an issue"
    if campaign.snapshot_at is not None:
        return (
            f"has started ({campaign.state}): copies with the old content may have left; once it"
            f" is over, `mailer campaign correct {campaign.id} FILE` sends a correction to those"
            " who have it"
        )
    if campaign.state is CampaignState.CANCELLED:
        return "is cancelled; `mailer campaign schedule FILE` makes a new one"
    return None


def _issue(number: int | None) -> str:
    return f"issue {number}" if number is not None else "an issue without a number"
