"""How a campaign's state changes: one table."""

from __future__ import annotations

from enum import StrEnum

from mailer.campaign.model import CampaignState as State
from mailer.errors import CampaignRefused


class Step(StrEnum):
    """What is done to a campaign."""

    START = "start"
    PLANNED = "planned"
    COMPLETE = "complete"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    REOPEN = "reopen"


#: Where RESUME leads is decided by how far the snapshot had come: see `resumed`.
TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.SCHEDULED, Step.START): State.PLANNING,
    (State.SCHEDULED, Step.PAUSE): State.PAUSED,
    (State.SCHEDULED, Step.CANCEL): State.CANCELLED,
    (State.PLANNING, Step.PLANNED): State.SENDING,
    (State.PLANNING, Step.PAUSE): State.PAUSED,
    (State.PLANNING, Step.CANCEL): State.CANCELLED,
    (State.SENDING, Step.COMPLETE): State.FINISHED,
    (State.SENDING, Step.PAUSE): State.PAUSED,
    (State.SENDING, Step.CANCEL): State.CANCELLED,
    (State.PAUSED, Step.RESUME): State.SENDING,
    (State.PAUSED, Step.CANCEL): State.CANCELLED,
    # A very late "try again later" for a copy that was thought to be unknown.
    (State.FINISHED, Step.REOPEN): State.SENDING,
}


def after(state: State, step: Step) -> State:
    """The state that follows; raises CampaignRefused where the step makes no sense."""
    following = TRANSITIONS.get((state, step))
    if following is None:
        raise CampaignRefused(f"the campaign is {state}: there is nothing to {step}")
    return following


def before(step: Step) -> tuple[State, ...]:
    """The states in which the step is possible."""
    return tuple(state for state, known in TRANSITIONS if known is step)


def resumed(*, started: bool, planned: bool) -> State:
    """Where a paused campaign goes on: as far as its snapshot had come."""
    if planned:
        return State.SENDING
    return State.PLANNING if started else State.SCHEDULED
