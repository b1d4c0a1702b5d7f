"""Each dialect from end to end: through its relay, rewritten, and found again by its report."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import dkim
import pytest
from sqlalchemy import select

from mailer.delivery.dialects import DIALECTS, Signs
from mailer.delivery.tables import deliveries, outcomes, pacing
from mailer.feedback import queries as feedback
from mailer.feedback.apply import apply_waiting
from mailer.feedback.model import Arrived
from mailer.settings import RelaySettings, Settings
from subscribers.tables import subscriptions
from tests.integration.delivery.conftest import Published, World
from tests.integration.delivery.test_send import QUICK, Plant, over
from tests.services.provider_relay import Key, ProviderRelay, Sent

ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PEOPLE = ("ada@example.org", "bob@example.net")
#: Reports that name a message by nothing but its metadata.
ONLY_BY_METADATA = {"sparkpost"}


@pytest.fixture
def key(published: Published) -> Key:
    """The service's key for our domain, which the DNS has as ours."""
    assert published.settings.rsa_key is not None
    return Key(domain="example.org", selector="r", pem=published.settings.rsa_key.read_bytes())


def told(world: World, relay: ProviderRelay, name: str, published: Published) -> Settings:
    return Settings(
        database_url=world.database.url,
        relay=RelaySettings(port=relay.port, dialect=name, connections=1),  # type: ignore[arg-type]
        sending=QUICK,
        dkim=published.settings,
        inbound_domain="in.example.com",
    )


def sent_through(
    world: World, relay: ProviderRelay, name: str, published: Published
) -> dict[str, Sent]:
    """What a campaign to two people becomes, by recipient."""
    world.now = datetime.now(UTC)
    world.add_people(*PEOPLE)
    campaign = world.add_campaign()
    with Plant(world, told(world, relay, name, published)) as plant:
        plant.wait(over(world, campaign), 60)
    assert world.states(campaign) == ["sent", "sent"]
    return {one.recipient: one for one in relay.sent()}


def provider_ids(world: World) -> list[str | None]:
    with world.database.read() as session:
        found = select(outcomes.c.provider_id).where(outcomes.c.verdict == "sent")
        return [*session.execute(found.order_by(outcomes.c.delivery_id)).scalars()]


def later(world: World) -> list[str | None]:
    with world.database.read() as session:
        found = select(deliveries.c.later).order_by(deliveries.c.id)
        return [*session.execute(found).scalars()]


def apply(world: World, webhook: str, body: bytes) -> None:
    """As an endpoint does that has verified a request, and the worker behind it."""
    now = datetime.now(UTC)
    request = hashlib.sha256(body).hexdigest()
    arrived = Arrived(provider=webhook, request_id=request, received_at=now, body=body)
    with world.database.write() as session:
        assert feedback.keep_requests(session, [arrived]) == [True]
    assert apply_waiting(world.database, world.keyring, now=now) == 1


@pytest.fixture(params=DIALECTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@ON_ONE
def test_a_report_finds_its_copy(world: World, name: str, published: Published, key: Key) -> None:
    """By our token where the report has it; else by the id in the relay's 250, or ours."""
    with ProviderRelay(name, signs_with=key) as relay:
        sent = sent_through(world, relay, name, published)
    dialect = DIALECTS[name]
    assert set(provider_ids(world)) == {one.known_as for one in sent.values()}
    for one in sent.values():
        assert one.envelope_from.startswith("b-") is dialect.keeps_return_path
        assert_arrives_signed(one, name, published)
    webhook = dialect.webhook or "generic"
    ada, bob = (sent[person] for person in PEOPLE)
    apply(world, webhook, ada.report(metadata=False))
    nameless = None if name in ONLY_BY_METADATA else "bounced"
    assert later(world) == [nameless, None]
    apply(world, webhook, bob.report())
    assert later(world) == [nameless, "bounced"]
    with world.database.read() as session:
        found = select(subscriptions.c.status).order_by(subscriptions.c.subscriber_id)
        assert session.execute(found).scalars().all() == [nameless or "active", "bounced"]


def assert_arrives_signed(one: Sent, name: str, published: Published) -> None:
    """Every signature on what arrives holds: ours where the relay keeps them, and its own."""
    mail = message_from_bytes(one.content, policy=default)
    signatures = mail.get_all("DKIM-Signature") or []
    assert len(signatures) == {Signs.US: 2, Signs.BOTH: 3, Signs.RELAY: 1}[DIALECTS[name].signs]
    for index in range(len(signatures)):
        assert dkim.DKIM(one.content).verify(idx=index, dnsfunc=published.look_up), index
    for header, value in one.service.replaces.items():
        assert re.match(re.escape(value).replace(re.escape("{id}"), ".*"), mail[header])
    left = [n for n in mail if n.lower().startswith(one.service.drops or ("no such",))]
    assert left == []


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("ses", b"454 Throttling failure: Daily message quota exceeded.\r\n"),
        ("mailgun", b"550 5.7.1 not allowed to send: recipient limit exceeded\r\n"),
    ],
)
def test_a_limit_slows_the_whole_relay_and_fails_nobody(
    world: World, name: str, reply: bytes, published: Published, key: Key
) -> None:
    with ProviderRelay(name, {"dot": [reply]}, signs_with=key) as relay:
        sent = sent_through(world, relay, name, published)
    assert set(sent) == set(PEOPLE)
    with world.database.read() as session:
        slowed = session.execute(select(pacing.c.lane).where(pacing.c.rate.is_not(None)))
        assert slowed.scalars().all() == [""]
        refusals = select(outcomes.c.verdict, outcomes.c.reason).where(outcomes.c.code != 250)
        assert [*session.execute(refusals)] == [("deferred", "rate")]
        active = select(subscriptions.c.status, subscriptions.c.soft_bounces)
        assert {*session.execute(active)} == {("active", 0)}
