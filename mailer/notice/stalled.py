"""Tell owners of issues that are being sent and stand still: once, until they move on."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailer.delivery.stall.queries import Stalled, stalled
from mailer.notice.owner import alarm
from subscribers import queries as people
from subscribers.database import Database
from subscribers.model import OwnerMail
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

#: It is looked so many times within the time after which an issue counts as standing still.
LOOKS = 20


@dataclass
class StallWatch:
    """Looks now and then; any number of processes may, and one of them tells.

    `after` is how long an issue may stand still.
    """

    database: Database
    keyring: Keyring
    after: timedelta
    _again: float = field(default=0.0, init=False)

    def look(self, now: datetime) -> None:
        """Tell of what stands still, where it is time to look; raises DatabaseBusy."""
        if time.monotonic() < self._again:
            return
        self._again = time.monotonic() + self.after.total_seconds() / LOOKS
        with self.database.write() as session:
            for each in stalled(session, now=now, after=self.after):
                log.error(
                    "campaign %s makes no progress since %s",
                    each.campaign_id,
                    f"{each.since:%H:%M} UTC",
                    extra={"campaign": each.campaign_id},
                )
                self._tell(session, each, now)

    def _tell(self, session: Session, each: Stalled, now: datetime) -> None:
        newsletter = people.newsletter(session, each.newsletter_id)
        if newsletter.owner_mail is OwnerMail.OFF:
            return
        alarm(
            session,
            newsletter,
            what=f"Issue {each.campaign_id} makes no progress",
            details=_details(each, now),
            command=f"mailer campaign status {each.campaign_id}",
            keyring=self.keyring,
            now=now,
        )


def _details(each: Stalled, now: datetime) -> list[str]:
    minutes = int((now - each.since).total_seconds() // 60)
    return [
        each.subject,
        f"Nothing was taken or refused for {minutes} minutes; {each.tried} of {each.audience}"
        " copies were before.",
        "Is a worker running, and does the relay answer? `mailer doctor` looks at both.",
    ]
