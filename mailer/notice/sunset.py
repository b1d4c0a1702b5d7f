"""The silent are asked whether to go on, and leave where they do not answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mailer.notice import queries
from mailer.notice.model import Notice
from mailer.notice.queries import Condition
from mailer.notice.send import Post, send
from subscribers import queries as people
from subscribers.database import Database
from subscribers.hygiene.sunset import silent
from subscribers.model import Newsletter, Subscriber
from subscribers.segment import queries as segments

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: People who are asked, or leave, in one transaction.
AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Sunset:
    """Whom it concerns: silent for `after`; who was asked gets `grace` to answer."""

    newsletter: Newsletter
    after: timedelta
    grace: timedelta
    now: datetime

    def count(self, session: Session) -> Silence:
        """Count them."""

        def those(*also: Condition) -> int:
            tree, newsletter = silent(self.after), self.newsletter.id
            return segments.count(session, newsletter, tree, now=self.now, also=also)

        return Silence(
            silent=those(), asked=those(self._asked(session)), over=those(self._over(session))
        )

    def ask(self, database: Database, post: Post) -> int:
        """Write to those who were not asked yet; gives how many."""
        asked = 0
        while True:
            with database.write() as session:
                some = self._people(session, ~self._asked(session))
                for person in some:
                    send(session, Notice.STAY, self.newsletter, person, post=post, now=self.now)
            asked += len(some)
            if len(some) < AT_ONCE:
                return asked

    def end(self, database: Database) -> int:
        """End the subscriptions of those whose time to answer is over; gives how many."""
        ended = 0
        while True:
            with database.write() as session:
                some = self._people(session, self._over(session))
                for person in some:
                    people.unsubscribe(
                        session, person.id, self.newsletter, now=self.now, source="sunset"
                    )
            ended += len(some)
            if len(some) < AT_ONCE:
                return ended

    def _people(self, session: Session, also: Condition) -> list[Subscriber]:
        return segments.people(
            session,
            self.newsletter.id,
            silent(self.after),
            now=self.now,
            limit=AT_ONCE,
            also=(also,),
        )

    def _asked(self, session: Session) -> Condition:
        return queries.has_got(
            session,
            Notice.STAY,
            self.newsletter.id,
            since=self.now - self.after,
            until=self.now,
        )

    def _over(self, session: Session) -> Condition:
        # Only who can have read the question has left it unanswered.
        return queries.has_got(
            session,
            Notice.STAY,
            self.newsletter.id,
            since=self.now - self.after,
            until=self.now - self.grace,
            sent=True,
        )


@dataclass(frozen=True, kw_only=True)
class Silence:
    """How many are silent, how many of those were asked, and how many had time to answer."""

    silent: int
    asked: int
    over: int
