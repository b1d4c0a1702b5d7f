"""Settling what nobody knew: by the relay's own log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mailer.campaign import queries as campaign_queries
from mailer.delivery import ledger
from mailer.delivery.repair import queries, relay_log
from subscribers.database import Database
from subscribers.token import Keyring, Scope, make, make_verp


def proved(
    database: Database, keyring: Keyring, campaign_id: int, lines: Iterable[str]
) -> dict[int, str]:
    """The unknown copies of a campaign that a relay's log proves taken, with the evidence."""
    with database.read() as session:
        campaign = campaign_queries.get(session, campaign_id)
        ids = [copy.delivery_id for copy in queries.unknown_copies(session, campaign_id)]
    # The keys that were the newest when its messages were made.
    keys = keyring.as_of(campaign.created_at)
    names = {make(keys, Scope.VERP, delivery_id): delivery_id for delivery_id in ids}
    names |= {make_verp(keys, delivery_id).lower(): delivery_id for delivery_id in ids}
    return relay_log.taken(lines, names)


def settle(database: Database, evidence: dict[int, str], *, now: datetime) -> int:
    """Turn proved copies into `sent`, each with its evidence in the ledger; gives how many."""
    with database.write() as session:
        return sum(
            ledger.settle(session, delivery_id, at=now, evidence=words)
            for delivery_id, words in evidence.items()
        )
