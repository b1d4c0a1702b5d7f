"""Mail to the owner of a newsletter when an issue has started and when it has ended, each once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, CampaignState, OwnerKnows
from mailer.delivery import ledger
from mailer.delivery.ledger import Balance
from mailer.delivery.model import DeliveryState
from mailer.notice import queries
from mailer.notice.owner import make_alarm
from subscribers import queries as people
from subscribers.errors import AddressInvalid
from subscribers.model import Newsletter, OwnerMail
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from mailer.notice.owner import Alarm
    from subscribers.database import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A campaign that came to a point of its course which its owner was not told of."""

    what: OwnerKnows
    campaign: Campaign
    newsletter: Newsletter
    balance: Balance
    last_opening: datetime | None


def tell_of_course(database: Database, keyring: Keyring, *, now: datetime) -> int:
    """Write to the owner of each issue that has started or ended since; gives how many.

    Raises DatabaseUnavailable, DatabaseBusy or DatabaseFull: who was not told is told later.
    """
    with database.read() as session:
        turns = [_turn(session, campaign_id, what) for campaign_id, what in queries.untold(session)]
    told = 0
    for turn in turns:
        made = _made(turn, keyring)
        with database.write() as session:
            if queries.take_turn(session, turn.campaign.id, turn.what) and made is not None:
                made.send(session, now=now)
                told += 1
    return told


def _turn(session: Session, campaign_id: int, what: OwnerKnows) -> Turn:
    campaign = campaign_queries.get(session, campaign_id)
    return Turn(
        what=what,
        campaign=campaign,
        newsletter=people.newsletter(session, campaign.newsletter_id),
        balance=ledger.balance(session, campaign_id),
        last_opening=queries.last_opening(session, campaign_id),
    )


def _made(turn: Turn, keyring: Keyring) -> Alarm | None:
    if turn.newsletter.owner_mail is not OwnerMail.ALL:
        return None
    started = turn.what is OwnerKnows.START
    number, name = turn.campaign.id, turn.newsletter.name
    became = "has started" if started else f"is {turn.campaign.state}"
    follow = f"mailer campaign status {number} --follow"
    try:
        return make_alarm(
            turn.newsletter,
            what=f"campaign {number} of {name} {became}",
            details=[turn.campaign.subject, *(_at_start(turn) if started else _at_end(turn))],
            command=follow if started else f"mailer campaign report {number}",
            keyring=keyring,
        )
    except AddressInvalid as exc:
        log.warning("nobody can be told that campaign %s %s: %s", number, became, exc)
        return None


def _at_start(turn: Turn) -> list[str]:
    lines = [f"It goes to {turn.campaign.audience} people."]
    if turn.campaign.local_at and turn.last_opening:
        lines.append(
            f"Each gets it when their own clock shows {turn.campaign.local_at}, the last from"
            f" {turn.last_opening:%Y-%m-%d %H:%M} UTC on."
        )
    if turn.campaign.canary_size:
        lines.append(f"A canary of {turn.campaign.canary_size} goes first; the rest waits for it.")
    return lines


def _at_end(turn: Turn) -> list[str]:
    states = turn.balance.states
    others = ", ".join(
        f"{states[state]} {state}"
        for state in DeliveryState
        if states.get(state) and state is not DeliveryState.SENT
    )
    sent = f"{states.get(DeliveryState.SENT, 0)} of {turn.balance.audience} copies are sent"
    lines = [f"{sent}; {others}." if others else f"{sent}."]
    began, ended = turn.campaign.snapshot_at, turn.campaign.finished_at
    if began and ended:
        lines.append(f"It ran from {began:%Y-%m-%d %H:%M} to {ended:%Y-%m-%d %H:%M} UTC.")
    if turn.balance.balances:
        lines.append("Everybody of the audience is accounted for.")
    else:
        lines.append(f"The books do not balance: `mailer campaign audit {turn.campaign.id}`.")
    if turn.campaign.state is CampaignState.FINISHED and states.get(DeliveryState.UNKNOWN):
        lines.append(f"Of the unknown ones tells `mailer campaign settle {turn.campaign.id}`.")
    return lines
