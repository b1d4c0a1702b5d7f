"""What becomes of issues is told, in the order in which it happens; tests and notices are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

from sqlalchemy import update

from mailer.campaign import queries as campaign_queries
from mailer.campaign.model import CampaignKind, CampaignState
from mailer.campaign.published.queries import add_old
from mailer.campaign.tables import campaigns
from mailer.delivery import ledger
from mailer.delivery.fuse import queries as fuse_queries
from mailer.delivery.late import queries as late_queries
from subscribers.transfer.importing import import_people
from subscribers.transfer.model import Import
from tests.integration.feedback.world import rendering
from tests.integration.outgoing.conftest import Telling
from tests.integration.outgoing.receiver import Receiver

LATE = timedelta(hours=1)


def test_a_campaign_tells_its_whole_life(telling: Telling, receiver: Receiver) -> None:
    world = telling.world
    telling.add(receiver.url, "campaign.*")
    world.add_campaign(kind=CampaignKind.TEST)
    campaign = world.add_campaign()
    with world.database.write() as session:
        campaign_queries.pause(session, campaign, reason="by hand", now=world.now)
        assert not campaign_queries.pause(session, campaign, reason="again", now=world.now)
        campaign_queries.resume(session, campaign, now=world.now)
        assert campaign_queries.start_due(session, now=world.now, late_after=LATE)
        sending = {"state": CampaignState.SENDING, "alive_at": world.now}
        session.execute(update(campaigns).where(campaigns.c.id == campaign).values(sending))
        fuse_queries.note_canary(session, campaign, now=world.now)
        assert fuse_queries.release(session, campaign, now=world.now)
        assert not fuse_queries.release(session, campaign, now=world.now)
        assert fuse_queries.blow(session, campaign, reason="the fuse", shares={}, now=world.now)
        silent = sending | {"alive_at": world.now - 2 * LATE}
        session.execute(update(campaigns).where(campaigns.c.id == campaign).values(silent))
        assert campaign in late_queries.pause_late(session, now=world.now, late_after=LATE)
        session.execute(update(campaigns).where(campaigns.c.id == campaign).values(sending))
        assert campaign in ledger.finish_complete(session, now=world.now)
        # What went out elsewhere, long ago, is no news.
        old = {"newsletter_id": world.newsletters["weekly"].id, "number": 1, "timezone": "UTC"}
        add_old(session, rendering("old"), at=world.now - 99 * LATE, now=world.now, **old)
    cancelled = world.add_campaign()
    with world.database.write() as session:
        campaign_queries.cancel(session, cancelled, now=world.now)
    telling.tell()
    assert [name.removeprefix("campaign.") for name in receiver.types] == [
        "scheduled", "paused", "resumed", "started", "canary_held", "canary_released", "paused",
        "paused", "finished", "scheduled", "cancelled",
    ]  # fmt: skip
    told = receiver.got[1].told["data"]
    assert told["campaign"] == {"id": campaign, "issue": None, "subject": "Hello"}
    assert (told["newsletter"], told["reason"]) == ("weekly", "by hand")


def test_an_import_is_one_piece_of_news_and_a_dry_run_none(
    telling: Telling, receiver: Receiver
) -> None:
    world = telling.world
    telling.add(receiver.url)
    file = BytesIO(b"email\n" + b"".join(b"p%d@example.org\n" % n for n in range(50)))
    order = Import(newsletter=world.newsletters["weekly"], keyring=world.keyring, now=world.now)
    import_people(world.database, file, replace(order, dry_run=True))
    assert telling.log() == []
    import_people(world.database, file, order)
    # A second time nothing changes.
    import_people(world.database, file, order)
    telling.tell()
    assert receiver.types == ["import.taken"]
    assert receiver.got[0].told["data"] == {"newsletter": "weekly", "added": 50, "updated": 0}
