"""Watching the demo's campaign: a bar on a terminal, lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, CampaignState
from mailer.cli.demo_server import DemoServer
from mailer.cli.demo_stop import DemoFailed, Stop
from mailer.cli.output import progress, say
from mailer.cli.runtime import Runtime
from mailer.delivery import ledger
from mailer.delivery.ledger import Balance
from mailer.delivery.model import DeliveryState

#: Prints a line.
Tell = Callable[[str], None]

OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)
_FIRST_TRY_AHEAD = (DeliveryState.QUEUED, DeliveryState.SENDING)
_OPEN = (*_FIRST_TRY_AHEAD, DeliveryState.DEFERRED)
_LOOK_EVERY = 0.25
#: Seconds between lines in a pipe.
_TELL_EVERY = 2.0
_LATE = "late:"


def watch(
    here: Runtime,
    server: DemoServer,
    campaign_id: int,
    stop: Stop,
    *,
    after_first_tries: Callable[[Tell], None],
) -> None:
    """Follow a campaign to its end; calls `after_first_tries` once everybody was tried once.

    It is given what prints a line without breaking the bar.
    """
    called, said, again_at = False, "", 0.0
    with progress("sending", total=None) as bar:
        tell = say if bar.disable else partial(bar.console.print, markup=False)
        while True:
            server.check()
            campaign, balance = _look(here, campaign_id)
            waiting = sum(balance.states.get(state, 0) for state in _OPEN)
            done = sum(balance.states.values()) - waiting
            bar.update(bar.task_ids[0], total=campaign.audience or None, completed=done)
            line = ", ".join(f"{count:,} {state}" for state, count in balance.states.items())
            over = campaign.state in OVER
            if bar.disable and line != said and (over or time.monotonic() >= again_at):
                say(f"{campaign.state!s:12} {line}")
                said, again_at = line, time.monotonic() + _TELL_EVERY
            if not called and _tried(campaign, balance):
                called = True
                after_first_tries(tell)
            if over:
                return
            _insist(here, campaign, tell)
            stop.sleep(_LOOK_EVERY)


def _look(here: Runtime, campaign_id: int) -> tuple[Campaign, Balance]:
    with here.database.read() as session:
        return campaign_queries.get(session, campaign_id), ledger.balance(session, campaign_id)


def _tried(campaign: Campaign, balance: Balance) -> bool:
    ahead = sum(balance.states.get(state, 0) for state in _FIRST_TRY_AHEAD)
    return campaign.planned_at is not None and ahead == 0


def _insist(here: Runtime, campaign: Campaign, tell: Tell) -> None:
    """Whoever starts the demo again wants it to go on; nothing else that paused it is ours."""
    if campaign.state is not CampaignState.PAUSED:
        return
    if not (campaign.pause_reason or "").startswith(_LATE):
        raise DemoFailed(f"campaign {campaign.id} is paused: {campaign.pause_reason}")
    with here.database.write() as session:
        campaign_queries.resume(session, campaign.id, now=datetime.now(UTC))
    tell("resume       the campaign was paused as late; it goes on, since you are here")
