"""The sample issues as they are sent, and finished messages made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.model import Signature
from mailer.campaign.freeze import freeze
from mailer.campaign.model import CampaignKind
from mailer.delivery.compose import CampaignIdentity, Composer, compile_campaign
from mailer.delivery.model import Message, Recipient
from mailer.delivery.sign import Signer
from mailer.render.model import Rendering
from mailer.resources import templates
from mailer.settings import DkimSettings
from subscribers.model import Newsletter, OwnerMail
from subscribers.token import Keyring

#: By language, the issues that are sent.
ISSUES = {"en": "issue.md", "zh": "issue.zh.md"}
DOMAIN = "newsletter.example"
PUBLIC_URL = "https://news.newsletter.example"
NEWSLETTER = Newsletter(
    id=0,
    slug="weekly-gradient",
    name="Weekly Gradient",
    from_name="Weekly Gradient",
    from_address=f"editors@{DOMAIN}",
    postal_address="12 Example Street, 12345 Exampleton",
    url=f"https://{DOMAIN}/",
    double_opt_in=False,
    owner_mail=OwnerMail.OFF,
)


@cache
def rendering(issue: str) -> Rendering:
    """A sample issue, rendered once."""
    return freeze(templates() / "sample" / ISSUES[issue], NEWSLETTER).rendering


def write_keys(folder: Path) -> None:
    """Make an RSA-2048 and an Ed25519 key as PEM files in `folder`."""
    for name, key in (
        ("rsa", generate_private_key(public_exponent=65537, key_size=2048)),
        ("ed25519", Ed25519PrivateKey.generate()),
    ):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(pem)


def dkim(signature: Signature, keys: Path) -> DkimSettings | None:
    """The settings that sign this way, with the keys in a folder."""
    match signature:
        case Signature.RSA:
            return DkimSettings(domain=DOMAIN, rsa_selector="r", rsa_key=keys / "rsa.pem")
        case Signature.ED25519:
            return DkimSettings(
                domain=DOMAIN, ed25519_selector="e", ed25519_key=keys / "ed25519.pem"
            )
        case Signature.NONE:
            return None


def composer(rendered: Rendering, signature: Signature, keys: Path) -> Composer:
    """What makes messages of a rendering."""
    settings = dkim(signature, keys)
    return compile_campaign(
        rendered,
        NEWSLETTER,
        campaign=CampaignIdentity(id=1, kind=CampaignKind.ISSUE),
        keyring=Keyring.generate(),
        public_url=PUBLIC_URL,
        signer=Signer.load(settings) if settings else None,
    )


def recipient(number: int) -> Recipient:
    """Somebody; every number is somebody else."""
    return Recipient(
        delivery_id=number,
        subscriber_id=number,
        address=address(number),
        name=name(number),
        language="en",
        attributes=attributes(number),
    )


def address(number: int) -> str:
    """The address of a numbered person."""
    return f"person.{number}@mail{number % 97}.example"


def name(number: int) -> str:
    """The name of a numbered person; one in ten needs more than ASCII."""
    return f"Zoë Åström {number}" if number % 10 == 0 else f"Nora Whitfield {number}"


def attributes(number: int) -> dict[str, object]:
    """The attributes that conditions in the sample ask for."""
    return {"plan": "pro" if number % 3 == 0 else "free"}


def messages(made_by: Composer, count: int) -> list[Message]:
    """Finished messages to the first people."""
    now = datetime.now(UTC)
    return [made_by.compose(recipient(number), date=now) for number in range(1, count + 1)]
