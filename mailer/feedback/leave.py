"""People leave a newsletter by a link in their copy, and may think better of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from mailer.delivery import ledger
from mailer.feedback import queries
from mailer.feedback.model import Copy
from subscribers.event import Event, EventType
from subscribers.model import Status
from subscribers.record import record

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Way(StrEnum):
    """How somebody asked."""

    #: The mail program's own button (RFC 8058).
    ONE_CLICK = "oneclick"
    #: The button of the unsubscribe page.
    PAGE = "page"
    #: A button of the preferences page.
    PREFERENCES = "preferences"


#: The delivery that is nobody's: posting its link changes nothing, and is answered so.
PROBE = 0
PROBED = "This link was made to be tried: nothing was changed.\n"


class Answer(StrEnum):
    """What came of it."""

    #: No more copies from now on.
    LEFT = "left"
    #: Gets every issue again.
    BACK = "back"
    #: It was so before; nothing was changed.
    NO_CHANGE = "no change"
    #: A test copy: nobody is subscribed by it.
    TEST = "test"


def leave(session: Session, copy: Copy, newsletter_id: int, way: Way, *, now: datetime) -> Answer:
    """End a subscription at once, as often as it takes; a second time changes nothing.

    What the person was before stands in the event's evidence: only who was active may return.
    """
    status = queries.hold_status(session, copy, newsletter_id)
    if status is None:
        return Answer.TEST if copy.subscriber_id is None else Answer.NO_CHANGE
    # Its link is in nobody's hands unless the copy had left.
    ledger.settle(session, copy.delivery_id, at=now, evidence="its unsubscribe link was used")
    if status is Status.UNSUBSCRIBED:
        return Answer.NO_CHANGE
    event = _event(session, copy, newsletter_id, EventType.UNSUBSCRIBED, way, status, now)
    record(session, event, now=now)
    return Answer.LEFT


def come_back(
    session: Session, copy: Copy, newsletter_id: int, way: Way, *, now: datetime
) -> Answer:
    """Undo a leave made by a link of this very copy, for somebody who was active before it."""
    status = queries.hold_status(session, copy, newsletter_id)
    if status is None:
        return Answer.TEST if copy.subscriber_id is None else Answer.NO_CHANGE
    if not queries.left_by(session, copy, newsletter_id):
        return Answer.NO_CHANGE
    # The link came to the address: it is confirmed without another mail.
    for kind in (EventType.SUBSCRIBED, EventType.CONFIRMED):
        record(session, _event(session, copy, newsletter_id, kind, way, status, now), now=now)
    return Answer.BACK


def _event(
    session: Session,
    copy: Copy,
    newsletter_id: int,
    kind: EventType,
    way: Way,
    was: Status,
    now: datetime,
) -> Event:
    # Counted, so that leaving again after an undo is news; two at once make the same id.
    turn = queries.times(session, copy, newsletter_id, kind) + 1
    return Event(
        type=kind,
        at=now,
        source="web",
        source_id=f"{kind}:{copy.delivery_id}:{newsletter_id}:{turn}",
        newsletter_id=newsletter_id,
        subscriber_id=copy.subscriber_id,
        # Leaving another newsletter by the preferences page is not this campaign's doing.
        campaign_id=copy.campaign_id if newsletter_id == copy.newsletter_id else None,
        delivery_id=copy.delivery_id,
        evidence={"was": was.value, "way": way.value},
    )
