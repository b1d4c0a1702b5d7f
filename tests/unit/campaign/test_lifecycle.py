"""The table of a campaign's states, walked whole."""

from __future__ import annotations

import itertools

import pytest

from mailer.campaign.lifecycle import TRANSITIONS, Step, after, resumed
from mailer.campaign.model import CampaignState
from mailer.errors import CampaignRefused

EXPECTED = {
    "scheduled": {"start": "planning", "pause": "paused", "cancel": "cancelled"},
    "planning": {"planned": "sending", "pause": "paused", "cancel": "cancelled"},
    "sending": {"complete": "finished", "pause": "paused", "cancel": "cancelled"},
    "paused": {"resume": "sending", "cancel": "cancelled"},
    "finished": {"reopen": "sending"},
}


@pytest.mark.parametrize(
    ("state", "step"), [*itertools.product(CampaignState, Step)], ids=lambda value: str(value)
)
def test_every_pair(state: CampaignState, step: Step) -> None:
    expected = EXPECTED.get(state, {}).get(step)
    assert TRANSITIONS.get((state, step)) == expected
    if expected is None:
        with pytest.raises(CampaignRefused, match=f"is {state}: there is nothing to {step}"):
            after(state, step)
    else:
        assert after(state, step) == expected


@pytest.mark.parametrize(
    ("started", "planned", "state"),
    [(False, False, "scheduled"), (True, False, "planning"), (True, True, "sending")],
)
def test_a_paused_campaign_goes_on_where_it_was(started: bool, planned: bool, state: str) -> None:
    assert resumed(started=started, planned=planned) == state
