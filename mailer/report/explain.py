"""Why did this person get it, or not: every step with its time and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, CampaignState
from mailer.delivery import queries as delivery_queries
from mailer.delivery.model import DeliveryState
from mailer.delivery.queries import Happening
from mailer.delivery.union import queries as union
from mailer.report import queries
from subscribers import queries as people
from subscribers.address import Address
from subscribers.errors import SubscriberUnknown
from subscribers.token import Keyring

_SAYS = {
    DeliveryState.QUEUED: "no copy yet: it waits for its turn",
    DeliveryState.SENDING: "a copy is on its way to the relay at this moment",
    DeliveryState.SENT: "got a copy: the relay took it",
    DeliveryState.DEFERRED: "no copy yet: it could not be handed over and is tried again",
    DeliveryState.FAILED: "got no copy: it was refused for good",
    DeliveryState.UNKNOWN: "may or may not have a copy: nobody can tell",
    DeliveryState.SKIPPED: "got no copy: left out",
    DeliveryState.CANCELLED: "got no copy: the campaign was cancelled first",
}


_ROLLED_UP = (
    "nobody can tell any more: this campaign's ledger is rolled up,"
    " its sums stand in `mailer campaign report`"
)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The answer in one line, and the steps that led to it by time."""

    verdict: str
    state: DeliveryState | None
    steps: tuple[Happening, ...]


def explain(
    session: Session, address: Address, campaign_id: int, *, keyring: Keyring
) -> Explanation:
    """Tell one person's story in one campaign; raises CampaignUnknown."""
    campaign = campaign_queries.get(session, campaign_id)
    steps = _campaign_steps(campaign)
    try:
        person = people.find(session, address)
    except SubscriberUnknown:
        person = None
    hashes = [keyring.address_hash(address.key), keyring.domain_hash(address.domain)]
    copy = delivery_queries.delivery_of(session, campaign.id, address_hash=hashes[0])
    newsletters = [union.consent_of(session, copy[0])] if copy else [*campaign.newsletter_ids]
    if person is not None:
        steps += [
            Happening(at=at, what=what, evidence=evidence)
            for at, what, evidence in queries.happened(
                session, person.id, campaign_id=campaign.id, newsletter_ids=newsletters
            )
        ]
    steps += [
        Happening(at=at, what=f"{scope} suppressed", evidence=reason)
        for at, scope, reason in queries.suppressed_since(session, hashes)
    ]
    state = None
    if copy is None:
        held = queries.statuses(session, person.id, newsletters) if person else []
        verdict = _ROLLED_UP if campaign.archived_at else _not_in_audience(campaign, held)
    else:
        delivery_id, state, reason, changed_at = copy
        verdict = _SAYS[state] + (f" ({reason})" if reason else "")
        if state is DeliveryState.QUEUED and campaign.local_at:
            verdict += _by_own_clock(campaign, delivery_queries.opening_of(session, delivery_id))
        if campaign.also:
            name = people.newsletter(session, newsletters[0]).name
            verdict += f"; by the consent to {name}"
        steps += delivery_queries.story(session, delivery_id)
        steps.append(Happening(at=changed_at, what=f"state: {state}", evidence=reason or ""))
    return Explanation(
        verdict=verdict, state=state, steps=tuple(sorted(steps, key=lambda step: step.at))
    )


def _by_own_clock(campaign: Campaign, opens_at: datetime | None) -> str:
    if opens_at is None:
        return ""
    return (
        f" (not before {opens_at:%Y-%m-%d %H:%M} UTC, when clocks in the zone that was theirs at"
        f" the start show {campaign.local_at})"
    )


def _not_in_audience(campaign: Campaign, statuses: Sequence[str]) -> str:
    if campaign.planned_at is None and campaign.state is not CampaignState.CANCELLED:
        return "no copy yet: the audience is not fixed before the campaign starts"
    if not statuses:
        which = "any of its newsletters" if campaign.also else "this newsletter"
        return f"got no copy: not subscribed to {which}"
    stands = " and ".join(f"'{status}'" for status in statuses)
    return (
        "got no copy: was not in the audience when it was fixed"
        f" (stands at {stands} now; see the steps for when that came about)"
    )


def _campaign_steps(campaign: Campaign) -> list[Happening]:
    known: list[tuple[datetime | None, str]] = [
        (campaign.created_at, "campaign scheduled"),
        (campaign.snapshot_at, "campaign started: the audience is being fixed"),
        (campaign.planned_at, "audience fixed"),
        (campaign.finished_at, f"campaign {campaign.state}"),
        (campaign.archived_at, "ledger rolled up into sums"),
    ]
    return [Happening(at=at, what=what) for at, what in known if at is not None]
