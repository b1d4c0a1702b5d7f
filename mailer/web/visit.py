"""Somebody who came by a link of a copy: who they are, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Path

from mailer.feedback import queries
from mailer.feedback.leave import Answer
from mailer.feedback.model import Copy, Place
from mailer.notice.send import Post
from mailer.web.services import WebServices
from mailer.web.speech import Speech, speech
from subscribers import queries as people
from subscribers.errors import TokenInvalid
from subscribers.model import Newsletter
from subscribers.preferences import queries as preferences
from subscribers.token import Scope, read

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: A newsletter's id as it stands in a path.
NewsletterId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a page about one person shows; `answer` where something was asked for.

    `pauses` says until when they want no issues, by newsletter.
    """

    copy: Copy
    newsletter: Newsletter
    places: tuple[Place, ...]
    pauses: dict[int, datetime] = field(default_factory=dict)
    answer: Answer | None = None

    @property
    def place(self) -> Place | None:
        """The person's place in the newsletter the link is from."""
        those = (p for p in self.places if p.newsletter_id == self.copy.newsletter_id)
        return next(those, None)

    @property
    def masked(self) -> str:
        """Enough of the address to tell it from one's others; empty once it is erased."""
        local, _, domain = (self.copy.address or "").rpartition("@")
        return f"{local[:1]}…@{domain}" if domain else ""

    def say(self, tongues: list[str]) -> Speech:
        """How to speak to them."""
        return speech(tongues, self.newsletter.language)


def delivery_of(services: WebServices, scope: Scope, token: str) -> int:
    """The delivery whose link a token is from; raises TokenInvalid."""
    return read(services.keyring, scope, token, now=services.clock())


def look(services: WebServices, delivery_id: int) -> Visit:
    """Who came, without changing anything."""
    with services.database.read() as session:
        return visit_of(session, delivery_id, now=services.clock())


def visit_of(
    session: Session, delivery_id: int, answer: Answer | None = None, *, now: datetime
) -> Visit:
    """Who came by a delivery's link; raises TokenInvalid where there is no such delivery."""
    copy = queries.copy_of(session, delivery_id)
    if copy is None:  # a genuine token, and an older backup of the database
        raise TokenInvalid
    person = copy.subscriber_id
    return Visit(
        copy=copy,
        newsletter=people.newsletter(session, copy.newsletter_id),
        places=tuple(queries.places_of(session, copy)),
        pauses=preferences.pauses(session, person, now=now) if person is not None else {},
        answer=answer,
    )


def post_of(services: WebServices) -> Post:
    """What notices need."""
    return Post(keyring=services.keyring, public_url=services.settings.public_url)
