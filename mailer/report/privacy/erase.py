"""The verb of erasing: one person, out of every table, in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mailer.feedback.queries import forget_bodies, forget_in_waiting
from mailer.report.privacy import queries
from subscribers import queries as people
from subscribers.address import Address
from subscribers.database import overwrite_what_is_deleted
from subscribers.segment.queries import forget_address
from subscribers.signup.queries import forget_asked
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def erase(session: Session, address: Address, *, keyring: Keyring, now: datetime) -> int:
    """Erase a person wherever they are named; gives the id that stays for the ledger.

    What stays is a keyed hash, so that no import brings them back. Raises SubscriberUnknown.
    """
    overwrite_what_is_deleted(session)
    erased = people.remove(session, address, keyring=keyring, now=now)
    address_hash = keyring.address_hash(address.key)
    queries.forget_tests(session, address_hash)
    forget_asked(session, address_hash, now=now)
    forget_address(session, address)
    queries.forget_in_audiences(session, address)
    queries.forget_lane(session, address.domain)
    # Requests that were not understood may name the person, and so may those that wait.
    forget_bodies(session, until=now)
    forget_in_waiting(session, address)
    return erased
