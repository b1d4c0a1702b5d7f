"""From all the tables to one document of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.feedback.own_data import queries
from subscribers import queries as people
from subscribers.address import Address
from subscribers.privacy import queries as privacy
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def own_data(session: Session, address: Address, *, keyring: Keyring) -> dict[str, object]:
    """What is known of a person, as plain values with times in ISO 8601.

    Raises SubscriberUnknown.
    """
    person = people.show(session, address, keyring=keyring)
    who = person.subscriber
    names = {one.id: one.name for one in people.newsletters(session)}
    places = queries.own_places(session, who.id)
    told = {
        "person": asdict(who),
        "subscriptions": [
            {"newsletter": names.get(p.newsletter_id, ""), **asdict(p), **places[p.newsletter_id]}
            for p in person.subscriptions
        ],
        "consents": [
            {"newsletter": names.get(c.newsletter_id, ""), **asdict(c)} for c in person.consents
        ],
        "suppressed_for": person.suppressed_for,
        "events": [asdict(event) for event in privacy.events_of(session, who.id)],
        "messages": [asdict(message) for message in queries.messages_to(session, who.id)],
    }
    plain = _plain(told)
    assert isinstance(plain, dict)
    return plain


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
