"""Mail to the owner of a newsletter when something needs them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import Campaign
from mailer.notice import queries
from mailer.notice.language import choose
from mailer.notice.model import Notice
from mailer.notice.queries import Addressee
from mailer.notice.render import render_with
from mailer.notice.send import checksum
from mailer.render.model import Rendering
from subscribers import address
from subscribers import queries as people
from subscribers.errors import AddressInvalid
from subscribers.model import Newsletter, OwnerMail
from subscribers.token import Keyring

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from subscribers.database import Database

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A mail to an owner, made and not yet on its way."""

    newsletter: Newsletter
    rendering: Rendering
    addressee: Addressee

    def send(self, session: Session, *, now: datetime) -> int:
        """Let it go out before every issue; gives the delivery's id; raises DatabaseBusy."""
        return queries.append(
            session,
            self.rendering,
            self.addressee,
            newsletter_id=self.newsletter.id,
            checksum=checksum(Notice.ALARM, self.rendering, now),
            due_at=now,
            now=now,
        )


def tell_of_pauses(database: Database, keyring: Keyring, *, now: datetime) -> int:
    """Write to the owner of each issue that a rule holds, once a pause; gives how many.

    Raises DatabaseUnavailable, DatabaseBusy or DatabaseFull: who was not told is told later.
    """
    with database.read() as session:
        held = [
            (c, people.newsletter(session, c.newsletter_id))
            for c in campaign_queries.alarming(session)
        ]
    told = 0
    for campaign, newsletter in held:
        made = _pause_alarm(campaign, newsletter, keyring)
        with database.write() as session:
            if campaign_queries.take_alarm(session, campaign.id) and made is not None:
                made.send(session, now=now)
                told += 1
    return told


def _pause_alarm(campaign: Campaign, newsletter: Newsletter, keyring: Keyring) -> Alarm | None:
    if newsletter.owner_mail is OwnerMail.OFF:
        return None
    try:
        return make_alarm(
            newsletter,
            what=f"campaign {campaign.id} of {newsletter.name} is paused",
            details=[campaign.pause_reason or ""],
            command=f"mailer campaign resume {campaign.id}",
            keyring=keyring,
        )
    except AddressInvalid as exc:
        log.warning("nobody can be told that campaign %s is paused: %s", campaign.id, exc)
        return None


def make_alarm(
    newsletter: Newsletter,
    *,
    what: str,
    details: Sequence[str] = (),
    command: str = "",
    keyring: Keyring,
    to: str | None = None,
) -> Alarm:
    """Render it: `what` happened, in one line, some details, and the command to go on with.

    It goes to `to`, else where answers to the newsletter go; raises AddressInvalid. This takes
    a moment, which no transaction should wait for.
    """
    parsed = address.parse(to or newsletter.reply_to or newsletter.from_address)
    facts = {"what": what, "details": "\n".join(details), "next": command or "mailer campaign list"}
    rendering = render_with(Notice.ALARM, newsletter, lang=choose(newsletter.language), facts=facts)
    addressee = Addressee(
        address_hash=keyring.address_hash(parsed.key),
        domain=parsed.domain,
        to_address=parsed.as_given,
    )
    return Alarm(newsletter=newsletter, rendering=rendering, addressee=addressee)


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
    """Tell the owner at once, in a transaction that is under way; see `make_alarm`.

    Gives the delivery's id; raises AddressInvalid, and DatabaseBusy: try again.
    """
    made = make_alarm(
        newsletter, what=what, details=details, command=command, keyring=keyring, to=to
    )
    return made.send(session, now=now)
