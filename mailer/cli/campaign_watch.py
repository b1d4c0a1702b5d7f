"""`mailer campaign list`, `status`, `pause`, `resume`, `cancel`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mailer.campaign import lifecycle, union
from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign, CampaignState
from mailer.cli import completion
from mailer.cli.campaign_options import Id, Json, Yes
from mailer.cli.campaign_when import spelled
from mailer.cli.output import (
    MISTAKE,
    confirm,
    emit_json,
    fail,
    progress,
    say,
    show_table,
)
from mailer.cli.runtime import Runtime, runtime
from mailer.delivery import ledger
from mailer.delivery import queries as delivery_queries
from mailer.delivery.ledger import Balance
from mailer.delivery.model import DeliveryState
from mailer.errors import CampaignRefused

_RUNNING = (CampaignState.SCHEDULED, CampaignState.PLANNING, CampaignState.SENDING)


def list_campaigns(
    tests: Annotated[bool, typer.Option("--tests", help="Tests, too.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """List campaigns, newest first.

    Example: `mailer campaign list --limit 10`
    """
    with runtime().database.read() as session:
        found = campaign_queries.newest_first(session, limit=limit, tests=tests)
    if as_json:
        emit_json(found)
        return
    show_table(
        ("id", "state", "due", "audience", "subject"),
        [(c.id, c.state, c.due_at, c.audience, c.subject) for c in found],
    )


def status(
    campaign_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch until it is over.")] = False,
    as_json: Json = False,
) -> None:
    """Tell how far a campaign is.

    Examples: `mailer campaign status 3`, `mailer campaign status 3 --follow`
    """
    here = runtime()
    campaign, balance = _look(here, campaign_id)
    if follow:
        campaign, balance = _follow(here, campaign_id)
    if as_json:
        emit_json({"campaign": campaign, "copies": balance.states, "closed": balance.closed})
        return
    _show_status(here, campaign, balance)


def _look(here: Runtime, campaign_id: int) -> tuple[Campaign, Balance]:
    with here.database.read() as session:
        return campaign_queries.get(session, campaign_id), ledger.balance(session, campaign_id)


def _follow(here: Runtime, campaign_id: int) -> tuple[Campaign, Balance]:
    """Watch until the campaign is over or held; Ctrl-C ends the watching, not the campaign."""
    with progress(f"campaign {campaign_id}", total=None) as bar:
        said = ""
        while True:
            campaign, balance = _look(here, campaign_id)
            waiting = sum(balance.states.get(s, 0) for s in _OPEN)
            done = sum(balance.states.values()) - waiting
            bar.update(bar.tasks[0].id, total=campaign.audience or None, completed=done)
            line = _line(balance)
            if not bar.disable:
                bar.update(bar.tasks[0].id, description=f"campaign {campaign_id}: {campaign.state}")
            elif line != said:
                say(f"{campaign.state}: {line}")
                said = line
            if campaign.state not in _RUNNING:
                return campaign, balance
            time.sleep(0.5)


_OPEN = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)


def _line(balance: Balance) -> str:
    return ", ".join(f"{count} {state}" for state, count in balance.states.items()) or "no copies"


def _show_status(here: Runtime, campaign: Campaign, balance: Balance) -> None:
    say(f"campaign {campaign.id}: {campaign.state} — {campaign.subject}")
    if campaign.pause_reason:
        say(f"paused because: {campaign.pause_reason}")
        say(f"go on with: mailer campaign resume {campaign.id}")
    if campaign.state is CampaignState.SCHEDULED:
        say(f"starts {spelled(campaign.due_at, campaign.timezone)}")
    _say_also(here, campaign)
    if campaign.local_at and campaign.state in _RUNNING:
        say(f"each gets it when their own clock shows {campaign.local_at}")
    if campaign.state is CampaignState.SENDING and campaign.canary_size and not campaign.wave:
        say(_canary_line(campaign))
    say(_line(balance))
    with here.database.read() as session:
        due_at = delivery_queries.next_due(session, campaign.id)
    if campaign.state is CampaignState.SENDING and due_at and due_at > datetime.now(UTC):
        say(f"next try at {due_at:%Y-%m-%d %H:%M:%S} UTC")


def _say_also(here: Runtime, campaign: Campaign) -> None:
    if campaign.also:
        with here.database.read() as session:
            others = union.slugs(session, campaign)
        say(f"goes to the readers of {', '.join(others)} too, each person once")


def _canary_line(campaign: Campaign) -> str:
    if campaign.canary_at is None:
        return f"the canary goes first: {campaign.canary_size} copies"
    until = campaign.canary_at + timedelta(seconds=campaign.canary_hold or 0)
    return f"the canary is out; the rest waits until {until:%Y-%m-%d %H:%M:%S} UTC"


def pause(
    campaign_id: Annotated[
        int | None,
        typer.Argument(help="The campaign's number.", autocompletion=completion.campaigns),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that runs or waits.")] = False,
) -> None:
    """Hold a campaign; all workers stop within two seconds.

    Examples: `mailer campaign pause 3`, `mailer campaign pause --all`
    """
    if every == (campaign_id is not None):
        fail("say which: a campaign's number, or --all", code=MISTAKE)
    here = runtime()
    with here.database.write() as session:
        which = (
            [campaign_queries.get(session, campaign_id)]
            if campaign_id is not None
            else campaign_queries.in_states(session, _RUNNING)
        )
        now = datetime.now(UTC)
        held = [
            c
            for c in which
            if campaign_queries.pause(session, c.id, reason="by hand", now=now, by_hand=True)
        ]
    if campaign_id is not None and not held:
        raise CampaignRefused(f"campaign {campaign_id} is {which[0].state}: nothing to hold")
    for campaign in held:
        say(f"campaign {campaign.id} is paused; go on with: mailer campaign resume {campaign.id}")
    if every and not held:
        say("nothing runs")


def resume(campaign_id: Id) -> None:
    """Let a paused campaign go on where it was.

    Example: `mailer campaign resume 3`
    """
    with runtime().database.write() as session:
        now = datetime.now(UTC)
        state = campaign_queries.resume(session, campaign_id, now=now)
        ledger.try_soon(session, campaign_id, now=now)
    say(f"campaign {campaign_id} is {state} again")


def cancel(campaign_id: Id, yes: Yes = False) -> None:
    """Stop a campaign for good; copies that have not left never will.

    Example: `mailer campaign cancel 3`
    """
    here = runtime()
    campaign, balance = _look(here, campaign_id)
    # Where there is nothing to cancel, nobody is asked.
    lifecycle.after(campaign.state, lifecycle.Step.CANCEL)
    confirm(
        f"Cancel campaign {campaign_id} ({campaign.state}; {_line(balance)}) for good?", yes=yes
    )
    with here.database.write() as session:
        campaign_queries.cancel(session, campaign_id, now=datetime.now(UTC))
    while _close_some(here, campaign_id):
        pass
    _campaign, balance = _look(here, campaign_id)
    say(f"campaign {campaign_id} is cancelled: {_line(balance)}")


def _close_some(here: Runtime, campaign_id: int) -> int:
    # A transaction for a few chunks: workers that write meanwhile wait no longer than that.
    with here.database.write() as session:
        return ledger.cancel_waiting(session, campaign_id, now=datetime.now(UTC))
