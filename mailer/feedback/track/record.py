"""The verb: judge looks, add them to the sums, and record those of people by name.

Machines' looks are only counted. A person's become events, one a day for each link of a copy,
so that nobody who reloads can fill the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.delivery import ledger
from mailer.delivery.model import DeliveryState
from mailer.feedback.model import Copy
from mailer.feedback.queries import copies_of
from mailer.feedback.track import queries
from mailer.feedback.track.judge import judge
from mailer.feedback.track.model import Judged, Look, Looker
from mailer.feedback.track.queries import SOURCE, Place
from mailer.feedback.track.waiting import Ripe
from subscribers.event import Event, EventType
from subscribers.record import record_all

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def record_looks(session: Session, ripe: Sequence[Ripe], *, now: datetime) -> list[Judged]:
    """Judge and record looks, in the caller's transaction; gives them judged."""
    numbers = {one.key[0].delivery_id for one in ripe}
    ids = sorted(number for number in numbers if number is not None)
    accepted = queries.accepted_at(session, ids)
    # A genuine token, and an older backup of the database: its campaign may be gone.
    there = queries.campaigns_there(session, {one.key[0].campaign_id for one in ripe})
    here = [one for one in ripe if one.key[0].campaign_id in there]
    judged = [each for one in here for each in _judged(one, accepted)]
    # First of all: it puts those who count the same campaign in a row.
    queries.add_counts(session, Counter(place for each in judged for place in _places(each)))
    copies = copies_of(session, ids)
    known = [(each, copy) for each in judged if (copy := _persons(each, copies)) is not None]
    if known:
        _record_known(session, known, now=now)
    return judged


def _judged(one: Ripe, accepted: dict[int, datetime]) -> list[Judged]:
    lookers = judge(one.looks, accepted_at=accepted.get(one.key[0].delivery_id or 0))
    pairs = zip(one.looks, lookers, strict=True)
    return [Judged(look=look, looker=looker) for look, looker in pairs][one.first : one.last]


def _places(each: Judged) -> list[Place]:
    """The sums that a look belongs to: its message's, and its link's."""
    look = each.look
    whole = Place(look.track.campaign_id, look.type, 0, each.looker)
    return [whole, whole._replace(link=look.link)] if look.link else [whole]


def _persons(each: Judged, copies: dict[int, Copy]) -> Copy | None:
    """The copy at which somebody looked who is known here and was not erased."""
    copy = copies.get(each.look.track.delivery_id or 0)
    is_known = copy is not None and copy.subscriber_id is not None and copy.address is not None
    return copy if is_known and each.looker is Looker.PERSON else None


def _record_known(session: Session, known: Sequence[tuple[Judged, Copy]], *, now: datetime) -> None:
    seen = queries.seen_before(session, {copy.delivery_id for _, copy in known})
    people: Counter[Place] = Counter()
    for each, copy in known:
        for place in _places(each):
            this = (copy.delivery_id, place.type, place.link)
            if this not in seen:
                seen.add(this)
                people[place] += 1
    queries.add_people(session, people)
    urls = queries.urls_of(session, {each.look.track.campaign_id for each, _ in known})
    record_all(session, [_event(each.look, copy, urls) for each, copy in known], now=now)
    for copy in {copy.delivery_id: copy for _, copy in known}.values():
        if copy.state is not DeliveryState.SENT:
            # Nobody could have looked at a copy that never left.
            ledger.settle(session, copy.delivery_id, at=now, evidence="its recipient looked at it")


def _event(look: Look, copy: Copy, urls: dict[tuple[int, int], str]) -> Event:
    evidence: dict[str, str] = {}
    if look.type is EventType.CLICKED:
        url = urls.get((look.track.campaign_id, look.link or 0), "")
        evidence = {"link": str(look.link), "url": url}
    return Event(
        type=look.type,
        at=look.at,
        source=SOURCE,
        source_id=f"{look.type}-{copy.delivery_id}-{look.link or 0}-{look.at:%Y%m%d}",
        newsletter_id=copy.newsletter_id,
        subscriber_id=copy.subscriber_id,
        campaign_id=copy.campaign_id,
        delivery_id=copy.delivery_id,
        evidence=evidence,
    )
