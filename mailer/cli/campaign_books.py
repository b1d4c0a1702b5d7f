"""`mailer campaign audit`, `explain`: whether the books are right, and why they say so."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.campaign import queries as campaign_queries
from mailer.cli import completion
from mailer.cli.campaign_options import Id, Json
from mailer.cli.output import (
    FAILED,
    emit_json,
    say,
    show_table,
)
from mailer.cli.runtime import runtime
from mailer.delivery import ledger
from mailer.delivery.ledger import Balance
from mailer.delivery.model import DeliveryState
from mailer.report import queries as report_queries
from mailer.report.explain import explain as explain_copy
from subscribers import address

_OPEN = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)


def show_balance(balance: Balance) -> None:
    """The closing balance: audience = sent + failed + skipped + cancelled + unknown."""
    rows = [(state, balance.states.get(state, 0)) for state in DeliveryState]
    rows = [row for row in rows if row[1] or row[0] not in _OPEN]
    show_table(("copies", "people"), [*rows, ("audience", balance.audience)])
    word = "balances" if balance.balances else "DOES NOT BALANCE"
    say(f"the ledger {word}" + ("" if balance.closed else ", and is not closed yet"))


def audit(campaign_id: Id, as_json: Json = False) -> None:
    """Check a campaign's books: everybody accounted for, each claim with its evidence.

    Exit code 1 when something is wrong.

    Example: `mailer campaign audit 3`
    """
    with runtime().database.read() as session:
        campaign = campaign_queries.get(session, campaign_id)
        balance = ledger.balance(session, campaign_id)
        wrong = report_queries.discrepancies(session, campaign_id)
        again = report_queries.put_back(session, campaign_id)
    if as_json:
        emit_json(
            {
                "campaign": campaign.id,
                "audience": balance.audience,
                "copies": balance.states,
                "closed": balance.closed,
                "balances": balance.balances,
                "put_back": again,
                "discrepancies": wrong,
            }
        )
    else:
        show_balance(balance)
        if unknown := balance.states.get(DeliveryState.UNKNOWN, 0):
            say(f"{unknown} may or may not have arrived; evidence that comes back settles them")
        if again:
            say(f"{again} times a copy was put back by hand, to be sent again")
        for one in wrong:
            say(f"WRONG: {one.count} {one.what}")
    if wrong or not balance.balances:
        raise typer.Exit(FAILED)


def explain(
    who: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The person's address.", show_default=False)
    ],
    campaign_id: Annotated[
        int,
        typer.Argument(
            metavar="CAMPAIGN",
            help="The campaign's number.",
            show_default=False,
            autocompletion=completion.campaigns,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Tell why this person got it, or not: every step with its time and evidence.

    Example: `mailer campaign explain ann@example.com 3`
    """
    here = runtime()
    with here.database.read() as session:
        answer = explain_copy(session, address.parse(who), campaign_id, keyring=here.keyring)
    if as_json:
        emit_json(answer)
        return
    say(f"{who}: {answer.verdict}")
    show_table(("when", "what", "evidence"), [(s.at, s.what, s.evidence) for s in answer.steps])
