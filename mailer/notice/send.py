"""The verb of this stage: a notice to a person, in the transaction of what it tells of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailer.notice import queries
from mailer.notice.language import choose
from mailer.notice.model import Notice
from mailer.notice.queries import Addressee
from mailer.notice.render import render
from mailer.render.model import Rendering
from subscribers import address
from subscribers.model import Newsletter, Subscriber
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Post:
    """What every notice needs: the keys, and what its links start with."""

    keyring: Keyring
    public_url: str


def send(
    session: Session,
    notice: Notice,
    newsletter: Newsletter,
    person: Subscriber,
    *,
    post: Post,
    now: datetime,
    due_at: datetime | None = None,
) -> int | None:
    """Put a notice for a person into the ledger; gives its delivery, None where they are erased.

    Any worker sends it at `due_at` (at once, if not given), unless the address is suppressed by
    then. It is written in the person's language. Raises DatabaseBusy: try again.
    """
    if person.address is None:
        return None
    lang = choose(person.language, newsletter.language)
    rendering = render(notice, newsletter, lang=lang, public_url=post.public_url)
    parsed = address.parse(person.address)
    addressee = Addressee(
        address_hash=post.keyring.address_hash(parsed.key),
        domain=parsed.domain,
        subscriber_id=person.id,
    )
    return queries.append(
        session,
        rendering,
        addressee,
        newsletter_id=newsletter.id,
        checksum=checksum(notice, rendering, now),
        due_at=due_at or now,
        now=now,
    )


def checksum(notice: Notice, rendering: Rendering, now: datetime) -> str:
    """What the campaign of a day's notices is known by; another wording makes another.

    By the day, because a campaign's links are signed with the keys of when it was made.
    """
    day = now.astimezone(UTC).date()
    return f"notice-{notice}-{rendering.lang}-{day}-{rendering.checksum[:16]}"
