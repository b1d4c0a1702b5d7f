"""Composers by campaign: a frozen rendering is compiled once a process, not once a chunk."""

from __future__ import annotations

from collections import OrderedDict

from mailer.campaign import queries as campaign_queries
from mailer.delivery.compose import CampaignIdentity, Composer, compile_campaign
from mailer.delivery.dialects import Dialect, Dress, dialect_of, dress_of
from mailer.delivery.sign import Signer
from mailer.settings import RelaySettings, Settings
from subscribers import queries as people
from subscribers.database import Database
from subscribers.token import Keyring

#: So many compiled campaigns are kept; a compiled issue takes about 100 KB.
KEPT = 16


class Composers:
    """Gives the Composer of a campaign, compiling it the first time.

    Raises SettingsInvalid where a relay's settings and its dialect do not go together.
    """

    def __init__(self, *, settings: Settings, database: Database, keyring: Keyring) -> None:
        self._settings = settings
        self._database = database
        self._keyring = keyring
        self._signer = Signer.load(settings.dkim) if settings.dkim else None
        self._relays = {name: _dressed(relay) for name, relay in settings.every_relay.items()}
        self._kept: OrderedDict[tuple[int, str], Composer] = OrderedDict()

    def of(self, campaign_id: int, relay: str) -> Composer:
        """The composer of a campaign for a relay; raises PressrunError where its content can't
        be made mail."""
        place = (campaign_id, relay)
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        composer = self._compile(campaign_id, relay)
        self._kept[place] = composer
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return composer

    def _compile(self, campaign_id: int, relay: str) -> Composer:
        dialect, dress = self._relays[relay]
        with self._database.read() as session:
            campaign = campaign_queries.get(session, campaign_id)
            rendering = campaign_queries.rendering_of(session, campaign_id)
            links = campaign_queries.links_of_campaign(session, campaign_id)
            newsletter = people.newsletter(session, campaign.newsletter_id)
            embedded = {n: campaign_queries.image(session, n) for n in rendering.embedded}
        return compile_campaign(
            rendering,
            newsletter,
            campaign=CampaignIdentity(
                id=campaign.id,
                kind=campaign.kind,
                edition=campaign.edition,
                issue_number=campaign.issue_number,
                tracking=campaign.tracking,
                links=links,
            ),
            keyring=self._keyring.as_of(campaign.created_at),
            public_url=self._settings.public_url,
            inbound_domain=self._settings.inbound_domain,
            dialect=dialect,
            dress=dress,
            signer=self._signer,
            images=embedded,
        )


def _dressed(relay: RelaySettings) -> tuple[Dialect, Dress]:
    dialect = dialect_of(relay).dialect
    return dialect, dress_of(dialect, relay.headers, stream=relay.stream)
