"""Mail to the owner of a newsletter when something needs them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.notice import queries
from mailer.notice.language import choose
from mailer.notice.model import Notice
from mailer.notice.queries import Addressee
from mailer.notice.render import render_with
from mailer.notice.send import checksum
from subscribers import address
from subscribers.model import Newsletter
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def alarm(
    session: Session,
    newsletter: Newsletter,
    *,
    what: str,
    details: Sequence[str] = (),
    command: str = "",
    keyring: Keyring,
    now: datetime,
    to: str | None = None,
) -> int:
    """Tell the owner `what` happened, in one line, some details, and the command to go on with.

    It goes to `to`, else where answers to the newsletter go. Gives the delivery's id; raises
    AddressInvalid, and DatabaseBusy: try again.
    """
    parsed = address.parse(to or newsletter.reply_to or newsletter.from_address)
    facts = {"what": what, "details": "\n".join(details), "next": command or "mailer campaign list"}
    rendering = render_with(Notice.ALARM, newsletter, lang=choose(newsletter.language), facts=facts)
    addressee = Addressee(
        address_hash=keyring.address_hash(parsed.key),
        domain=parsed.domain,
        to_address=parsed.as_given,
    )
    return queries.append(
        session,
        rendering,
        addressee,
        newsletter_id=newsletter.id,
        checksum=checksum(Notice.ALARM, rendering, now),
        due_at=now,
        now=now,
    )
