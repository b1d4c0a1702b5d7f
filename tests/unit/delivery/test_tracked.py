"""Mail whose links are counted: what differs per recipient, signatures, and the way out."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mailer.campaign.model import CampaignKind
from mailer.campaign.track import Track, click_url, read_track
from mailer.delivery.compose import CampaignIdentity
from mailer.delivery.model import Message, Recipient
from mailer.delivery.sign import Signer
from mailer.render.track import links_of
from subscribers.errors import TokenInvalid
from subscribers.model import Tracking
from subscribers.token import Keyring, Scope, make
from tests.unit.delivery.letters import (
    ADA,
    CHINESE,
    DATE,
    HTML,
    KEYRING,
    PUBLIC,
    TEXT,
    alternative,
    assert_fit_for_the_wire,
    composer,
    parsed,
    rendering,
)
from tests.unit.delivery.test_sign import KeyFiles, record, write

BOB = Recipient(delivery_id=(1 << 40) - 1, subscriber_id=4, address="bob@example.net", name="Bob")
LINKED = rendering(
    html=HTML.replace("</html>", f'<a href="https://a.example/?x=1&amp;y=2">{CHINESE}</a></html>'),
    text=TEXT + "\na link <https://a.example/?x=1&y=2> and <https://b.example/>\n",
)
LINKS = links_of(LINKED)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    folder: Path = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write(folder / "rsa.pem", key)
    return KeyFiles(folder=folder, records={b"r2026._domainkey.example.org.": record(key)})


def made(mode: Tracking, recipient: Recipient = ADA, signer: Signer | None = None) -> Message:
    identity = CampaignIdentity(id=42, kind=CampaignKind.ISSUE, tracking=mode, links=LINKS)
    return composer(LINKED, campaign=identity, signer=signer).compose(recipient, date=DATE)


def bodies(message: Message) -> str:
    mail = parsed(message)
    return alternative(mail, "html") + alternative(mail, "plain")


def click_tokens(message: Message) -> set[str]:
    return set(re.findall(re.escape(PUBLIC) + r"/c/([\w-]+)/", bodies(message)))


def test_it_is_fit_for_the_wire_and_signed_in_each_mode(keys: KeyFiles) -> None:
    signer = Signer.load(keys.settings("rsa"))
    for mode in Tracking:
        message = made(mode, BOB, signer)
        assert_fit_for_the_wire(message)
        assert keys.verifies(message.content), mode


def test_off_is_byte_for_byte_what_it_was() -> None:
    assert made(Tracking.OFF).content == composer(LINKED).compose(ADA, date=DATE).content


def test_full_adds_one_token_to_a_message() -> None:
    for recipient in (ADA, BOB):
        (token,) = click_tokens(made(Tracking.FULL, recipient))
        place = Track(campaign_id=42, delivery_id=recipient.delivery_id)
        assert read_track(KEYRING, token, now=DATE) == place
    whole = bodies(made(Tracking.FULL))
    assert len(re.findall(f"/c/{click_tokens(made(Tracking.FULL)).pop()}/1", whole)) == 2
    assert "https://a.example/" not in whole


def test_anonymous_is_the_same_for_everybody() -> None:
    tokens = [click_tokens(made(Tracking.ANONYMOUS, one)) for one in (ADA, BOB)]
    assert tokens[0] == tokens[1]
    nobody = Track(campaign_id=42, delivery_id=None)
    assert read_track(KEYRING, tokens[0].pop(), now=DATE) == nobody
    # But for what differs without it, too.
    same = dataclasses.replace(ADA, delivery_id=8)
    differ = [bodies(made(mode, one)) for mode in (Tracking.OFF, Tracking.ANONYMOUS)
              for one in (ADA, same)]  # fmt: skip
    changed = [sum(a != b for a, b in zip(x.split(), y.split(), strict=True))
               for x, y in (differ[:2], differ[2:])]  # fmt: skip
    assert changed[0] == changed[1]


def test_the_way_out_is_the_same_in_each_mode() -> None:
    token = make(KEYRING, Scope.UNSUBSCRIBE, ADA.delivery_id)
    for mode in Tracking:
        message = made(mode)
        assert f'<a href="{PUBLIC}/u/{token}">Unsubscribe</a>' in bodies(message)
        assert parsed(message)["List-Unsubscribe"].startswith(f"<{PUBLIC}/u/{token}>")
        assert parsed(message)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_token_of_another_scope_or_keyring_leads_nowhere() -> None:
    number = 42 << 40 | 7
    for token in (
        make(KEYRING, Scope.UNSUBSCRIBE, number),
        make(Keyring.generate(), Scope.CLICK, number),
    ):
        with pytest.raises(TokenInvalid):
            read_track(KEYRING, token, now=DATE)
    base = click_url(f"{PUBLIC}/", KEYRING, 42, 7)
    assert base == f"{PUBLIC}/c/{make(KEYRING, Scope.CLICK, number)}"
    with pytest.raises(AssertionError):
        click_url(PUBLIC, KEYRING, 42, 1 << 40)
